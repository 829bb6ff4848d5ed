CREATE TABLE calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    call TEXT NOT NULL UNIQUE,
    direction TEXT NOT NULL,
    kind TEXT NOT NULL,
    contact TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    ended_by TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    ringing_at INTEGER NOT NULL DEFAULT 0,
    answered_at INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER NOT NULL DEFAULT 0,
    duration_ms INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX calls_by_contact ON calls (contact, id);
CREATE INDEX calls_by_time ON calls (created_at);
CREATE INDEX calls_open ON calls (id) WHERE ended_at = 0;
CREATE INDEX calls_missed ON calls (id) WHERE outcome = 'missed' AND seen = 0;
CREATE TABLE events (
    row INTEGER NOT NULL REFERENCES calls (id),
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    fact TEXT NOT NULL,
    state TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (row, n)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
