-- The orders of the list with the team in them: whose a dashboard is was read from its row, behind its outline.
DROP INDEX dashboards_changed;
DROP INDEX dashboards_title;
CREATE INDEX dashboards_changed ON dashboards (changed_at DESC, id, folded, deleted_at, team) WHERE deleted_at IS NULL;
CREATE INDEX dashboards_title ON dashboards (folded, id, deleted_at, team) WHERE deleted_at IS NULL;
