-- What people call a token, since when it is good, and whether its holder may act for others (the document's setUser).
ALTER TABLE tokens ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN act_as INTEGER NOT NULL DEFAULT 0;
