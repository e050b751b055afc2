-- Links by which somebody without an account sees one dashboard, or edits it.
CREATE TABLE links (
    -- SHA-256 of the code in the address, which nobody keeps but who got it.
    hash BLOB PRIMARY KEY,
    dashboard INTEGER NOT NULL REFERENCES dashboards (n) ON DELETE CASCADE,
    -- viewer or editor.
    role TEXT NOT NULL,
    -- Whether an editor by it also changes what is asked of which source.
    may_query INTEGER NOT NULL,
    -- The hash in PHC form; NULL where it asks for no password.
    password TEXT,
    -- Whether whoever comes by it has to say a name.
    name_required INTEGER NOT NULL,
    label TEXT NOT NULL,
    -- The name of the owner who made it.
    made_by TEXT NOT NULL,
    -- Unix milliseconds.
    made_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX links_dashboard ON links (dashboard);

-- Browsers, and accounts, that came by a link.
CREATE TABLE visits (
    -- SHA-256 of the token, which nobody keeps but the browser.
    hash BLOB PRIMARY KEY,
    link BLOB NOT NULL REFERENCES links (hash) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Whose role it adds to; NULL for somebody who is not signed in.
    account TEXT REFERENCES accounts (id) ON DELETE CASCADE,
    made_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX visits_link ON visits (link);
CREATE INDEX visits_account ON visits (account) WHERE account IS NOT NULL;
