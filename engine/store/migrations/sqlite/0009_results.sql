-- What runs have found out, for whoever asks long after. Rows are made from a run's own row and from its log.jsonl, and made anew
-- when files of it come in later: this is the list of those that are not up to date. `mark` rises with each change, so that one
-- that comes during the work is not lost.
CREATE TABLE results_due (
    run  INTEGER NOT NULL PRIMARY KEY,
    mark INTEGER NOT NULL
) STRICT;
CREATE TRIGGER run_ended_results_due AFTER INSERT ON runs BEGIN
    INSERT INTO results_due (run, mark) VALUES (new.run, 1) ON CONFLICT (run) DO UPDATE SET mark = mark + 1;
END;
INSERT INTO results_due (run, mark) SELECT run, 1 FROM runs;

-- Jobs that a schedule has made.
CREATE TABLE job_origins (
    job        INTEGER NOT NULL PRIMARY KEY,
    schedule   INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    occurrence INTEGER NOT NULL
) STRICT;

-- A run that has ended. `rack` to `model` are those of its first slot; result_devices has all. `*_left_out` counts what was over a
-- bound. `*_bytes` is what is held now, `*_removed` when retention has taken it.
CREATE TABLE results (
    run                    INTEGER NOT NULL PRIMARY KEY,
    job                    INTEGER NOT NULL,
    job_name               TEXT    NOT NULL,
    owner                  TEXT    NOT NULL,
    test                   TEXT    NOT NULL,
    attempt                INTEGER NOT NULL,
    outcome                TEXT    NOT NULL,
    code                   INTEGER NOT NULL,
    comment                TEXT    NOT NULL,
    chosen_by              TEXT    NOT NULL,
    rack                   TEXT,
    slot                   INTEGER,
    dut                    INTEGER,
    dut_name               TEXT,
    model                  TEXT,
    devices                INTEGER NOT NULL,
    leased                 INTEGER,
    ended                  INTEGER NOT NULL,
    schedule               INTEGER,
    schedule_name          TEXT,
    occurrence             INTEGER,
    public_tree            TEXT,
    public_revision        INTEGER,
    private_tree           TEXT,
    private_revision       INTEGER,
    plugins                TEXT    NOT NULL,
    events                 TEXT    NOT NULL,
    steps                  INTEGER NOT NULL,
    steps_failed           INTEGER NOT NULL,
    measurements           INTEGER NOT NULL,
    artifacts              INTEGER NOT NULL,
    steps_left_out         INTEGER NOT NULL,
    measurements_left_out  INTEGER NOT NULL,
    log_bytes_left_out     INTEGER NOT NULL,
    video_bytes            INTEGER NOT NULL,
    logs_bytes             INTEGER NOT NULL,
    numbers_bytes          INTEGER NOT NULL,
    video_removed          INTEGER,
    logs_removed           INTEGER,
    numbers_removed        INTEGER
) STRICT;
CREATE INDEX results_by_job ON results (job, run);
CREATE INDEX results_by_owner ON results (owner, run);
CREATE INDEX results_by_test ON results (test, run);
CREATE INDEX results_by_end ON results (ended, run);
-- What retention looks through, oldest first, without touching the rows.
CREATE INDEX results_held ON results (ended, run, video_bytes, logs_bytes, numbers_bytes)
    WHERE video_bytes + logs_bytes + numbers_bytes > 0;

CREATE TABLE result_devices (
    run      INTEGER NOT NULL,
    no       INTEGER NOT NULL,
    slot     INTEGER NOT NULL,
    dut      INTEGER NOT NULL,
    dut_name TEXT    NOT NULL,
    model    TEXT    NOT NULL,
    PRIMARY KEY (run, no)
) STRICT, WITHOUT ROWID;
CREATE INDEX result_devices_by_dut ON result_devices (dut, run);
CREATE INDEX result_devices_by_name ON result_devices (dut_name, run);

CREATE TABLE result_steps (
    run     INTEGER NOT NULL,
    no      INTEGER NOT NULL,
    parent  INTEGER,
    depth   INTEGER NOT NULL,
    path    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    outcome TEXT    NOT NULL,
    code    INTEGER,
    began   INTEGER,
    ended   INTEGER,
    comment TEXT    NOT NULL,
    PRIMARY KEY (run, no)
) STRICT, WITHOUT ROWID;

CREATE TABLE result_measurements (
    run   INTEGER NOT NULL,
    no    INTEGER NOT NULL,
    step  INTEGER,
    path  TEXT    NOT NULL,
    name  TEXT    NOT NULL,
    value REAL    NOT NULL,
    unit  TEXT    NOT NULL,
    low   REAL,
    high  REAL,
    at    INTEGER,
    PRIMARY KEY (run, no)
) STRICT, WITHOUT ROWID;
CREATE INDEX result_measurements_by_name ON result_measurements (name, run);

-- `removed`: the file is gone since then (or about to be: retention_due). A row outlives its file until the numbers go.
CREATE TABLE result_artifacts (
    run     INTEGER NOT NULL,
    path    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    class   TEXT    NOT NULL,
    size    INTEGER NOT NULL,
    hash    TEXT    NOT NULL,
    removed INTEGER,
    PRIMARY KEY (run, path)
) STRICT, WITHOUT ROWID;

-- Runs that retention leaves alone.
CREATE TABLE run_keeps (
    run     INTEGER NOT NULL PRIMARY KEY,
    owner   TEXT    NOT NULL,
    kept_by TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    note    TEXT    NOT NULL
) STRICT;
CREATE INDEX run_keeps_by_owner ON run_keeps (owner, run);

-- Runs of which files are to be deleted whose rows say so already.
CREATE TABLE retention_due (
    run INTEGER NOT NULL PRIMARY KEY
) STRICT;

-- What retention has done, the newest.
CREATE TABLE retention_log (
    number INTEGER NOT NULL PRIMARY KEY,
    at     INTEGER NOT NULL,
    class  TEXT    NOT NULL,
    runs   INTEGER NOT NULL,
    bytes  INTEGER NOT NULL
) STRICT;

-- For reporting tools. These columns stay: what changes gets a view with another number.
CREATE VIEW v1_jobs AS
SELECT j.job, j.name, j.owner, j.priority,
       CASE j.status WHEN 0 THEN 'idle' WHEN 1 THEN 'running' WHEN 2 THEN 'completed' WHEN 3 THEN 'stopped' WHEN 4 THEN 'stalled'
                     WHEN 5 THEN 'no_daemon' WHEN 6 THEN 'no_dut' WHEN 7 THEN 'several_racks' END AS status,
       j.accepted AS accepted_us, strftime('%Y-%m-%dT%H:%M:%fZ', j.accepted / 1e6, 'unixepoch') AS accepted_at,
       j.started AS started_us, strftime('%Y-%m-%dT%H:%M:%fZ', j.started / 1e6, 'unixepoch') AS started_at,
       j.ended AS ended_us, strftime('%Y-%m-%dT%H:%M:%fZ', j.ended / 1e6, 'unixepoch') AS ended_at,
       j.runs, j.passed, j.failed, j.incomplete, o.schedule, o.name AS schedule_name, o.occurrence
FROM jobs j LEFT JOIN job_origins o ON o.job = j.job;

CREATE VIEW v1_runs AS
SELECT r.run, r.job, r.job_name, r.owner, r.test, r.attempt, r.outcome, r.code, r.comment, r.chosen_by, r.rack, r.slot, r.dut,
       r.dut_name, r.model, r.devices,
       r.leased AS started_us, strftime('%Y-%m-%dT%H:%M:%fZ', r.leased / 1e6, 'unixepoch') AS started_at,
       r.ended AS ended_us, strftime('%Y-%m-%dT%H:%M:%fZ', r.ended / 1e6, 'unixepoch') AS ended_at,
       (r.ended - r.leased) / 1e6 AS seconds,
       r.schedule, r.schedule_name, r.occurrence,
       r.public_tree, r.public_revision, r.private_tree, r.private_revision, r.plugins, r.events,
       r.steps, r.steps_failed, r.measurements, r.artifacts,
       r.steps_left_out, r.measurements_left_out, r.log_bytes_left_out,
       r.video_bytes, r.logs_bytes,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.video_removed / 1e6, 'unixepoch') AS video_removed_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.logs_removed / 1e6, 'unixepoch') AS logs_removed_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.numbers_removed / 1e6, 'unixepoch') AS numbers_removed_at,
       EXISTS (SELECT 1 FROM run_keeps k WHERE k.run = r.run) AS pinned
FROM results r;

CREATE VIEW v1_devices AS
SELECT d.run, r.job, r.rack, d.no, d.slot, d.dut, d.dut_name, d.model
FROM result_devices d JOIN results r ON r.run = d.run;

CREATE VIEW v1_steps AS
SELECT s.run, r.job, r.test, s.no, s.parent, s.depth, s.path, s.name, s.outcome, s.code,
       s.began AS began_us, strftime('%Y-%m-%dT%H:%M:%fZ', s.began / 1e6, 'unixepoch') AS began_at,
       s.ended AS ended_us, strftime('%Y-%m-%dT%H:%M:%fZ', s.ended / 1e6, 'unixepoch') AS ended_at,
       (s.ended - s.began) / 1e6 AS seconds, s.comment
FROM result_steps s JOIN results r ON r.run = s.run;

CREATE VIEW v1_measurements AS
SELECT m.run, r.job, r.test, r.dut, r.dut_name, r.model, m.no, m.step, m.path, m.name, m.value, m.unit, m.low, m.high,
       CASE WHEN m.low IS NULL AND m.high IS NULL THEN NULL
            ELSE (m.low IS NULL OR m.value >= m.low) AND (m.high IS NULL OR m.value <= m.high) END AS within,
       m.at AS at_us, strftime('%Y-%m-%dT%H:%M:%fZ', m.at / 1e6, 'unixepoch') AS at
FROM result_measurements m JOIN results r ON r.run = m.run;

CREATE VIEW v1_artifacts AS
SELECT a.run, r.job, r.test, a.path, a.name, a.kind, a.class, a.size, a.hash,
       strftime('%Y-%m-%dT%H:%M:%fZ', a.removed / 1e6, 'unixepoch') AS removed_at
FROM result_artifacts a JOIN results r ON r.run = a.run;
