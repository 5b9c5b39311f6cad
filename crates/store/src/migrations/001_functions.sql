-- One row per function. What is looked for has a column; the rest is a JSON document whose form `format` names.
CREATE TABLE functions (
    name     TEXT PRIMARY KEY,
    revision TEXT NOT NULL,
    package  TEXT NOT NULL, -- SHA-256 of the zip, in hexadecimal
    format   INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;

-- Whether a package is still used.
CREATE INDEX functions_by_package ON functions (package);
