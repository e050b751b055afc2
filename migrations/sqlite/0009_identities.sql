-- Under which names other services know people: an OpenID provider, or a proxy that signs them in. An account without a
-- mail address has its id in the column `folded`.
CREATE TABLE identities (
    -- The provider's issuer, or `proxy`.
    issuer TEXT NOT NULL,
    -- What the issuer calls the person.
    subject TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    -- Unix milliseconds.
    made_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_account ON identities (account);

-- The issuer by whose word a session was opened; NULL where its person gave a password.
ALTER TABLE sessions ADD COLUMN issuer TEXT;
