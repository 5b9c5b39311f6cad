-- Tags of a layer as a whole, in order: a list of pairs.
ALTER TABLE layers ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
