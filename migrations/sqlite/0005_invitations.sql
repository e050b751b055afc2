-- Links by which somebody makes an account, or chooses a new password.
CREATE TABLE invitations (
    -- SHA-256 of the code in the link, which nobody keeps but who got it.
    hash BLOB PRIMARY KEY,
    -- The team to join, and as what; NULL where it is for a new password.
    team TEXT REFERENCES teams (id) ON DELETE CASCADE,
    role TEXT,
    -- The only mail address that may use it; NULL for any.
    email TEXT,
    -- Whose new password it is for.
    account TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    uses_left INTEGER NOT NULL,
    -- Unix milliseconds.
    made_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The name of the admin who made it.
    made_by TEXT NOT NULL,
    CHECK ((team IS NULL) <> (account IS NULL)),
    CHECK ((team IS NULL) = (role IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_team ON invitations (team) WHERE team IS NOT NULL;
CREATE INDEX invitations_account ON invitations (account) WHERE account IS NOT NULL;
