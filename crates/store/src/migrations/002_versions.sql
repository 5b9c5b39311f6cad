-- Published versions: rows as those of `functions`, which has `$LATEST`.
CREATE TABLE versions (
    name     TEXT NOT NULL REFERENCES functions (name) ON DELETE CASCADE,
    version  INTEGER NOT NULL,
    revision TEXT NOT NULL,
    package  TEXT NOT NULL,
    format   INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;

CREATE INDEX versions_by_package ON versions (package);

-- Aliases, and what belongs to a function as a whole; `settings_format` 0 has none.
ALTER TABLE functions ADD COLUMN settings_format INTEGER NOT NULL DEFAULT 0;
ALTER TABLE functions ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
