-- What the list of dashboards is searched, ordered and sorted by, favourites, and the bin.

-- The title without regard to case. NULL until the program that opens the file has folded it.
ALTER TABLE dashboards ADD COLUMN folded TEXT;
-- The topmost widgets as JSON. NULL until it was made.
ALTER TABLE dashboards ADD COLUMN outline TEXT;
-- An array as JSON.
ALTER TABLE dashboards ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
-- Unix milliseconds; NULL where it is not in the bin.
ALTER TABLE dashboards ADD COLUMN deleted_at INTEGER;
-- The user as JSON.
ALTER TABLE dashboards ADD COLUMN deleted_by TEXT;

-- Each with all that a search or a count looks at, so that they read no row that is not shown.
CREATE INDEX dashboards_changed ON dashboards (changed_at DESC, id, folded, deleted_at) WHERE deleted_at IS NULL;
CREATE INDEX dashboards_title ON dashboards (folded, id, deleted_at) WHERE deleted_at IS NULL;
CREATE INDEX dashboards_bin ON dashboards (deleted_at DESC, id) WHERE deleted_at IS NOT NULL;

-- The tags of what is listed, one a row, kept up by the triggers below.
CREATE TABLE tags (
    tag TEXT NOT NULL,
    dashboard INTEGER NOT NULL REFERENCES dashboards (n) ON DELETE CASCADE,
    PRIMARY KEY (tag, dashboard)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_dashboard ON tags (dashboard);

CREATE TRIGGER tags_of_new AFTER INSERT ON dashboards WHEN NEW.tags <> '[]'
BEGIN
    INSERT OR IGNORE INTO tags SELECT value, NEW.n FROM json_each(NEW.tags);
END;

CREATE TRIGGER tags_of_changed AFTER UPDATE OF tags, deleted_at ON dashboards
WHEN OLD.tags <> NEW.tags OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)
BEGIN
    DELETE FROM tags WHERE dashboard = NEW.n;
    INSERT OR IGNORE INTO tags SELECT value, NEW.n FROM json_each(NEW.tags) WHERE NEW.deleted_at IS NULL;
END;

CREATE TABLE favourites (
    person TEXT NOT NULL,
    dashboard INTEGER NOT NULL REFERENCES dashboards (n) ON DELETE CASCADE,
    PRIMARY KEY (person, dashboard)
) STRICT, WITHOUT ROWID;
CREATE INDEX favourites_dashboard ON favourites (dashboard);
