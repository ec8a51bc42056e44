-- Policies that are asked what a live one is asked, and change nothing: what has come of each, with the last differences. JSON; the server's own.
CREATE TABLE shadows (
    policy  TEXT    NOT NULL PRIMARY KEY,
    began   INTEGER NOT NULL,
    details TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
