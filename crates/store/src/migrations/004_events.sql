-- One row per accepted event, until it is done. Times are milliseconds since 1970.
CREATE TABLE events (
    seq         INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE, -- the request id
    function    TEXT    NOT NULL,
    qualifier   TEXT,
    trace       TEXT,
    accepted_at INTEGER NOT NULL,
    aged_from   INTEGER NOT NULL,
    state       INTEGER NOT NULL, -- 0 queued, 1 retrying, 2 delivering, 3 dead
    due_at      INTEGER,          -- the next attempt; none where there will be none
    round       INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    condition   TEXT,
    history     TEXT    NOT NULL, -- the attempts that failed, as JSON
    payload     BLOB              -- none where event_payloads has it
) STRICT;

CREATE INDEX events_due ON events (function, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX events_by_age ON events (accepted_at, id);
-- Few events are here long, so that this costs nothing on the way in.
CREATE INDEX events_by_state ON events (state, accepted_at, id) WHERE state > 0;

-- Large payloads, so that the pages of `events` stay dense.
CREATE TABLE event_payloads (
    event   INTEGER PRIMARY KEY REFERENCES events (seq) ON DELETE CASCADE,
    payload BLOB NOT NULL
) STRICT;

-- What came of the last attempt of an event that is tried again.
CREATE TABLE event_responses (
    event            INTEGER PRIMARY KEY REFERENCES events (seq) ON DELETE CASCADE,
    executed_version INTEGER NOT NULL, -- 0 is $LATEST
    payload          BLOB    NOT NULL
) STRICT;

-- What is to be sent because an event has ended.
CREATE TABLE deliveries (
    seq          INTEGER PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE,
    event        INTEGER NOT NULL REFERENCES events (seq) ON DELETE CASCADE,
    target       TEXT    NOT NULL,
    purpose      INTEGER NOT NULL, -- 0 on success, 1 on failure, 2 dead letter
    function_arn TEXT    NOT NULL,
    attributes   TEXT    NOT NULL, -- JSON
    ended_at     INTEGER NOT NULL,
    tried_from   INTEGER NOT NULL,
    due_at       INTEGER,          -- the next try; none where there will be none
    attempts     INTEGER NOT NULL,
    state        INTEGER NOT NULL, -- 0 pending, 1 delivered, 2 failed
    error        TEXT,
    body         BLOB              -- none where it is the event itself, or where it was delivered
) STRICT;

CREATE INDEX deliveries_due ON deliveries (target, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_of ON deliveries (event);
