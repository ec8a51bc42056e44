-- How a plugin was left: where it came from, its versions, parameters, and the jobs that keep an older version. JSON; the server's own.
ALTER TABLE plugins ADD COLUMN details TEXT NOT NULL DEFAULT '{}';

-- What plugins may do beyond answering, granted while the server ran. Plugin '*': all of them.
CREATE TABLE plugin_grants (
    plugin     TEXT    NOT NULL,
    capability TEXT    NOT NULL,
    granted_by TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (plugin, capability)
) STRICT, WITHOUT ROWID;
