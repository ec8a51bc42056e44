-- What each revision did to which file, for ever. Rows of revision N are written before revision N itself, in pieces: without
-- a row in `revisions` they mean nothing. `change` is `added`, `changed` or `deleted`; a deleted file has no hash.
CREATE TABLE file_history (
    area     INTEGER NOT NULL REFERENCES areas (area),
    path     TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    change   TEXT    NOT NULL,
    hash     TEXT,
    size     INTEGER NOT NULL,
    edited   INTEGER NOT NULL,
    PRIMARY KEY (area, path, revision)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_history_by_revision ON file_history (area, revision);

-- Under which BLAKE3 hash a blob is kept that clients name by SHA-256.
CREATE TABLE digests (
    sha256 TEXT    NOT NULL PRIMARY KEY,
    hash   TEXT    NOT NULL,
    size   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
