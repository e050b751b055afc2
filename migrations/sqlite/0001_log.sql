-- Dashboards with their logs, snapshots and the deployment's secrets.

CREATE TABLE dashboards (
    n INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    epoch TEXT NOT NULL,
    -- The last revision in the log.
    revision INTEGER NOT NULL,
    title TEXT NOT NULL,
    widgets INTEGER NOT NULL,
    -- Unix milliseconds.
    changed_at INTEGER NOT NULL,
    -- The user as JSON.
    changed_by TEXT
) STRICT;

-- Apart from the list, which would read through them.
CREATE TABLE snapshots (
    dashboard INTEGER PRIMARY KEY REFERENCES dashboards (n) ON DELETE CASCADE,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL
) STRICT;

-- Clustered by place in the log: appends and tails touch neighbouring pages only.
CREATE TABLE commits (
    dashboard INTEGER NOT NULL REFERENCES dashboards (n) ON DELETE CASCADE,
    revision INTEGER NOT NULL,
    client TEXT NOT NULL,
    seq INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (dashboard, revision)
) STRICT, WITHOUT ROWID;

-- Exactly once: a client's change is in the log at most once.
CREATE UNIQUE INDEX commits_client ON commits (dashboard, client, seq);

CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
