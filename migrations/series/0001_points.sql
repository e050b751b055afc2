-- Names of series, and batches of their points. Files made before the tables had a version have these two
-- already.

-- A number is never used twice: old batches may still name a series that is gone.
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE IF NOT EXISTS batches (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The time of the newest point, Unix milliseconds.
    newest INTEGER NOT NULL,
    points INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS batches_newest ON batches (newest);
