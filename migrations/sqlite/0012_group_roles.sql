-- Whether a person's role in a team is what a group of their OpenID provider gives, and the role that they would have
-- without; NULL for none.
ALTER TABLE memberships ADD COLUMN from_group INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memberships ADD COLUMN by_hand TEXT;
