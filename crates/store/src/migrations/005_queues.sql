-- One row per queue of the built-in SQS endpoint.
CREATE TABLE sqs_queue (
    id       INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: receipt handles name it
    name     TEXT NOT NULL UNIQUE,
    contents INTEGER NOT NULL,
    format   INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;

-- What is in a queue, as a whole. Purging or deleting a queue leaves its contents, whatever their size, in one small
-- step; they are removed bit by bit afterwards.
CREATE TABLE sqs_contents (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    messages INTEGER NOT NULL,
    is_left  INTEGER NOT NULL
) STRICT;

CREATE INDEX sqs_contents_left ON sqs_contents (id) WHERE is_left = 1;

-- One row per message: what changes while it waits. All times are milliseconds since 1970.
CREATE TABLE sqs_message (
    id                INTEGER PRIMARY KEY,
    contents          INTEGER NOT NULL,
    message_id        BLOB NOT NULL,
    sent_at           INTEGER NOT NULL,
    visible_at        INTEGER NOT NULL,
    receives          INTEGER NOT NULL,
    received_at       INTEGER NOT NULL, -- 0 where it was not, or not from this queue
    first_received_at INTEGER NOT NULL,
    source            TEXT -- the name of the queue that it came from as a dead letter
) STRICT;

CREATE INDEX sqs_message_by_visibility ON sqs_message (contents, visible_at, receives);
CREATE INDEX sqs_message_by_age ON sqs_message (contents, sent_at);

-- And what does not change, apart, since a change of a row writes the whole row again.
CREATE TABLE sqs_body (
    id       INTEGER PRIMARY KEY, -- of the message
    text     TEXT NOT NULL,
    format   INTEGER NOT NULL,
    document TEXT NOT NULL -- attributes, trace header, group
) STRICT;
