-- How many measurements of a run lie outside of their limits. Kept with the run: the measurements may go, the count stays.
ALTER TABLE results ADD COLUMN measurements_outside INTEGER NOT NULL DEFAULT 0;
UPDATE results SET measurements_outside = (
    SELECT count(*) FROM result_measurements m WHERE m.run = results.run AND (m.value < m.low OR m.value > m.high)
) WHERE measurements > 0;

-- The same view with one column more, the last.
DROP VIEW v1_runs;
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
       EXISTS (SELECT 1 FROM run_keeps k WHERE k.run = r.run) AS pinned,
       r.measurements_outside
FROM results r;
