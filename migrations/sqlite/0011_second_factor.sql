-- Second factors of accounts: what an authenticator app computes codes with, and codes for when it is lost.

CREATE TABLE second_factors (
    account TEXT PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    -- The key that the app has too. It cannot be hashed: codes are computed with it.
    secret BLOB NOT NULL,
    -- When the app gave its first right code, Unix milliseconds.
    confirmed_at INTEGER NOT NULL,
    -- The newest step of 30 s whose code counted. Codes of it and of earlier ones count no more.
    last_step INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The recovery codes that are left.
CREATE TABLE recovery_codes (
    account TEXT NOT NULL REFERENCES second_factors (account) ON DELETE CASCADE,
    -- SHA-256 of the code.
    hash BLOB NOT NULL,
    PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;
