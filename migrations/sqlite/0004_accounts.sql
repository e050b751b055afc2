-- People who may sign in, their teams and sessions, and who may do what on which dashboard.

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    -- The address without regard to case.
    folded TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    -- The hash in PHC form; NULL where there is no password.
    password TEXT,
    is_admin INTEGER NOT NULL,
    -- Unix milliseconds, as all times here.
    made_at INTEGER NOT NULL,
    -- NULL where it may sign in.
    disabled_at INTEGER
) STRICT;

CREATE TABLE teams (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE memberships (
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    -- viewer, editor or owner.
    role TEXT NOT NULL,
    PRIMARY KEY (account, team)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_team ON memberships (team);

-- The team that owns it; NULL where none does.
ALTER TABLE dashboards ADD COLUMN team TEXT REFERENCES teams (id);
CREATE INDEX dashboards_team ON dashboards (team) WHERE team IS NOT NULL;

-- To an account or to a team, never to both.
CREATE TABLE grants (
    dashboard INTEGER NOT NULL REFERENCES dashboards (n) ON DELETE CASCADE,
    account TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    team TEXT REFERENCES teams (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    CHECK ((account IS NULL) <> (team IS NULL))
) STRICT;
CREATE UNIQUE INDEX grants_account ON grants (account, dashboard) WHERE account IS NOT NULL;
CREATE UNIQUE INDEX grants_team ON grants (team, dashboard) WHERE team IS NOT NULL;
CREATE INDEX grants_dashboard ON grants (dashboard);

CREATE TABLE sessions (
    -- SHA-256 of the token, which nobody keeps but the browser.
    hash BLOB PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    made_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_account ON sessions (account);
