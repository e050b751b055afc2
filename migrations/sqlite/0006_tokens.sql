-- API tokens, by which programs are known.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    -- SHA-256 of the secret part, which nobody keeps but who got it.
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- The team whose dashboards it may use; NULL where it uses none.
    team TEXT REFERENCES teams (id) ON DELETE CASCADE,
    -- Names with spaces between.
    scopes TEXT NOT NULL,
    -- What the names of series begin with that it may push; NULL for all.
    prefix TEXT,
    -- Unix milliseconds, as all times here.
    made_at INTEGER NOT NULL,
    -- NULL where it never ends by itself.
    expires_at INTEGER,
    -- NULL where nobody has used it yet.
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_account ON tokens (account);
CREATE INDEX tokens_team ON tokens (team) WHERE team IS NOT NULL;
