-- What became of every occurrence of every schedule, for ever. One row may stand for several that were missed in a row
-- (`first` to `last`). `reason` is for people; a row outlives its schedule.
CREATE TABLE occurrences (
    schedule     INTEGER NOT NULL,
    first        INTEGER NOT NULL,
    last         INTEGER NOT NULL,
    owner        TEXT    NOT NULL,
    planned      INTEGER NOT NULL,
    planned_last INTEGER NOT NULL,
    window_end   INTEGER,
    fate         TEXT    NOT NULL,
    reason       TEXT,
    began        INTEGER,
    ended        INTEGER NOT NULL,
    jobs         TEXT    NOT NULL,
    PRIMARY KEY (schedule, first)
) STRICT, WITHOUT ROWID;
