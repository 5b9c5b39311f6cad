-- One row per event source mapping. The document is JSON in the given format, so that a new field needs no migration.
CREATE TABLE event_source_mappings (
    id       TEXT PRIMARY KEY, -- its UUID
    format   INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;
