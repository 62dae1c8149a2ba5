-- The ledger of work and the timeline of one bot. Times are microseconds since the Unix epoch.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- One row a file task or chat prompt, from its arrival on.
CREATE TABLE item (
    arrival        INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL UNIQUE,
    source         TEXT    NOT NULL,
    status         TEXT    NOT NULL,
    priority       INTEGER NOT NULL,
    title          TEXT    NOT NULL,
    seen_at        INTEGER NOT NULL,
    detail         TEXT    NOT NULL,
    -- Its name in the task directory, and in the archive once it is there.
    file           TEXT,
    archived       TEXT,
    fingerprint    TEXT,
    digest         TEXT    NOT NULL,
    attempts       INTEGER NOT NULL,
    preemptions    INTEGER NOT NULL,
    run            TEXT,
    started_at     INTEGER,
    ended_at       INTEGER,
    used           INTEGER NOT NULL,
    error          TEXT,
    error_code     TEXT,
    files_modified TEXT    NOT NULL,
    usage          TEXT,
    response_file  TEXT,
    -- Whether its response is published and synced and its file archived.
    settled        INTEGER NOT NULL
);
CREATE INDEX item_unsettled ON item (arrival) WHERE settled = 0;
CREATE INDEX item_ended ON item (source, ended_at) WHERE ended_at IS NOT NULL;

-- What a started item was told to do: its file may be gone when it has to start again.
CREATE TABLE instruction (
    arrival INTEGER PRIMARY KEY,
    text    TEXT NOT NULL
);

-- The response document of an ended item, until it is settled.
CREATE TABLE body (
    arrival  INTEGER PRIMARY KEY,
    document TEXT NOT NULL
);

-- What a running item has said so far, in pieces.
CREATE TABLE partial (
    arrival INTEGER NOT NULL,
    start   INTEGER NOT NULL,
    text    TEXT    NOT NULL,
    PRIMARY KEY (arrival, start)
) WITHOUT ROWID;

-- How many items of each kind ended how.
CREATE TABLE tally (
    source TEXT    NOT NULL,
    status TEXT    NOT NULL,
    items  INTEGER NOT NULL,
    PRIMARY KEY (source, status)
) WITHOUT ROWID;

-- The timeline. Keys rise with timestamps; a change gives an entry the next seq.
CREATE TABLE entry (
    key       INTEGER PRIMARY KEY,
    entry_id  TEXT    NOT NULL UNIQUE,
    seq       INTEGER NOT NULL UNIQUE,
    added_seq INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    source    TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    status    TEXT    NOT NULL,
    json      TEXT    NOT NULL
);
CREATE INDEX entry_timestamp ON entry (timestamp);
CREATE INDEX entry_source ON entry (source);
CREATE INDEX entry_kind ON entry (kind);
CREATE INDEX entry_status ON entry (status);
CREATE INDEX entry_source_status ON entry (source, status);
CREATE INDEX entry_kind_status ON entry (kind, status);

CREATE VIRTUAL TABLE words USING fts5 (text, content = '', contentless_delete = 1);
