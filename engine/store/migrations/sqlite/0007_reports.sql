-- What coverage policies say has come of their plans: one row per job and group of its tests. `report` is JSON text; without one `fault` says
-- why, for people.
CREATE TABLE reports (
    job      INTEGER NOT NULL,
    grp      INTEGER NOT NULL,
    policy   TEXT    NOT NULL,
    report   TEXT,
    fault    TEXT,
    at       INTEGER NOT NULL,
    PRIMARY KEY (job, grp)
) STRICT, WITHOUT ROWID;
