-- Who did what to accounts, teams and whole dashboards. Entries are added, and go when they are old; none is changed.
CREATE TABLE audit (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Unix milliseconds.
    at INTEGER NOT NULL,
    -- account, token, guest or server.
    who_kind TEXT NOT NULL,
    who_id TEXT,
    who_name TEXT NOT NULL,
    -- The name, and the mail address with which somebody failed to sign in, without regard to case.
    folded TEXT NOT NULL,
    address TEXT,
    what TEXT NOT NULL,
    -- dashboard, account, team, invitation or token; NULL where it is about none. What it names may be gone.
    about_kind TEXT,
    about_id TEXT,
    about_name TEXT,
    -- A JSON object.
    detail TEXT NOT NULL,
    CHECK ((about_kind IS NULL) = (about_id IS NULL) AND (about_kind IS NULL) = (about_name IS NULL))
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_what ON audit (what);
CREATE INDEX audit_dashboard ON audit (about_id) WHERE about_kind = 'dashboard';

CREATE TRIGGER audit_is_appended_to BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log are never changed');
END;
