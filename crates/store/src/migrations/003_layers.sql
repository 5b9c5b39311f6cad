-- One row per layer, which stays when its versions go: numbers are never given twice.
CREATE TABLE layers (
    name        TEXT PRIMARY KEY,
    last_number INTEGER NOT NULL
) STRICT;

-- One row per layer version, as functions are kept.
CREATE TABLE layer_versions (
    name     TEXT NOT NULL REFERENCES layers (name),
    number   INTEGER NOT NULL,
    package  TEXT NOT NULL, -- SHA-256 of the zip, in hexadecimal
    format   INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (name, number)
) STRICT;

-- Whether a package is still used: by a layer version, or by a function as one of its layers, which few have.
CREATE INDEX layer_versions_by_package ON layer_versions (package);
CREATE INDEX functions_with_layers ON functions (name) WHERE instr(document, '"layers":[{') > 0;
CREATE INDEX versions_with_layers ON versions (name) WHERE instr(document, '"layers":[{') > 0;
