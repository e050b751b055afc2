-- What of the batches is sealed: many of before in one, in few bytes a point. A program that does not know these
-- would pass them over.

ALTER TABLE batches ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
