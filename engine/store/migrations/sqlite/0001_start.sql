-- Times are microseconds since 1970 in UTC. JSON is text. Hashes are lower-case hex.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

INSERT INTO meta (name, value) VALUES
    ('server_id', lower(hex(randomblob(16)))),
    ('generation', '0'),
    ('next_dut', '1');

-- What the scheduler was told, without gaps. `digest` covers seq, at and event: SQLite itself keeps no checksums.
CREATE TABLE journal (
    seq    INTEGER NOT NULL PRIMARY KEY,
    at     INTEGER NOT NULL,
    event  TEXT    NOT NULL,
    digest INTEGER NOT NULL
) STRICT;

-- The farm as it was after event `seq`; the two newest stay.
CREATE TABLE snapshots (
    seq  INTEGER NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL,
    hash TEXT    NOT NULL,
    farm BLOB    NOT NULL
) STRICT;

CREATE TABLE jobs (
    job        INTEGER NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    owner      TEXT    NOT NULL,
    priority   INTEGER NOT NULL,
    spec       TEXT    NOT NULL,
    first_run  INTEGER NOT NULL,
    runs       INTEGER NOT NULL,
    accepted   INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    started    INTEGER,
    ended      INTEGER,
    stopped_by TEXT,
    passed     INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    incomplete INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_by_owner ON jobs (owner, job);
-- Idle, running, stalled: those that are not final.
CREATE INDEX jobs_open ON jobs (job) WHERE status IN (0, 1, 4);

-- One row per run, written at its end. `code` and `comment` repeat the outcome for whoever reads with SQL.
CREATE TABLE runs (
    run          INTEGER NOT NULL PRIMARY KEY,
    job          INTEGER NOT NULL REFERENCES jobs (job),
    test         INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    rack         TEXT,
    places       TEXT    NOT NULL,
    leased       INTEGER,
    ended        INTEGER NOT NULL,
    code         INTEGER NOT NULL,
    comment      TEXT    NOT NULL,
    outcome      TEXT    NOT NULL,
    why          TEXT,
    public_tree  TEXT,
    private_tree TEXT
) STRICT;
CREATE INDEX runs_by_job ON runs (job, run);

-- The trees that leased runs were given.
CREATE TABLE pins (
    run          INTEGER NOT NULL PRIMARY KEY,
    public_tree  TEXT    NOT NULL,
    private_tree TEXT
) STRICT;

CREATE TABLE feed (
    number INTEGER NOT NULL PRIMARY KEY,
    at     INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    job    INTEGER,
    run    INTEGER,
    text   TEXT    NOT NULL,
    data   TEXT    NOT NULL
) STRICT;

CREATE TABLE duts (
    dut     INTEGER NOT NULL PRIMARY KEY,
    fields  TEXT    NOT NULL,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE racks (
    rack       INTEGER NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    token_hash TEXT    NOT NULL UNIQUE,
    enrolled   INTEGER NOT NULL
) STRICT;

CREATE TABLE slots (
    slot INTEGER NOT NULL PRIMARY KEY,
    rack INTEGER NOT NULL REFERENCES racks (rack),
    no   INTEGER NOT NULL,
    UNIQUE (rack, no)
) STRICT;

CREATE TABLE tokens (
    hash    TEXT NOT NULL PRIMARY KEY,
    owner   TEXT NOT NULL,
    role    TEXT NOT NULL,
    expires INTEGER
) STRICT;

-- One use each: a redeemed one is deleted.
CREATE TABLE enrol_tokens (
    hash    TEXT    NOT NULL PRIMARY KEY,
    expires INTEGER NOT NULL
) STRICT;

CREATE TABLE plugins (
    name    TEXT    NOT NULL PRIMARY KEY,
    hash    TEXT    NOT NULL,
    path    TEXT    NOT NULL,
    enabled INTEGER NOT NULL
) STRICT;

-- Area 0 is the public one; private areas are numbered, so that no user's name is ever a path.
CREATE TABLE areas (
    area  INTEGER NOT NULL PRIMARY KEY,
    owner TEXT UNIQUE
) STRICT;
INSERT INTO areas (area, owner) VALUES (0, NULL);

-- The head of an area is its highest revision.
CREATE TABLE revisions (
    area     INTEGER NOT NULL REFERENCES areas (area),
    revision INTEGER NOT NULL,
    tree     TEXT    NOT NULL,
    made_by  TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (area, revision)
) STRICT;
