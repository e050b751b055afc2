-- Televisions that show dashboards of a team.
CREATE TABLE screens (
    id TEXT PRIMARY KEY,
    -- SHA-256 of the token in its cookie, which nobody keeps but the screen.
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    team TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    -- Seconds for which it shows each of several dashboards.
    rotate_s INTEGER NOT NULL,
    -- The name of whoever paired it.
    made_by TEXT NOT NULL,
    -- Unix milliseconds.
    made_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    -- Where it was used last.
    address TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX screens_team ON screens (team);

-- What a screen shows, in the order of their turns.
CREATE TABLE screen_dashboards (
    screen TEXT NOT NULL REFERENCES screens (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    dashboard INTEGER NOT NULL REFERENCES dashboards (n) ON DELETE CASCADE,
    PRIMARY KEY (screen, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX screen_dashboards_dashboard ON screen_dashboards (dashboard);
