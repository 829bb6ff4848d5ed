-- Version 2: the source and the boot clock of every event, the text of a decline, and text search.
ALTER TABLE calls ADD COLUMN message TEXT NOT NULL DEFAULT '';
-- Who it was with, as they were called then.
ALTER TABLE calls ADD COLUMN person INTEGER NOT NULL DEFAULT 0;
-- The answer on CLOCK_BOOTTIME, from which the duration is counted.
ALTER TABLE calls ADD COLUMN answered_boot INTEGER NOT NULL DEFAULT 0;
-- Made before a row that is older: the calendar was set back. All others ascend in id and in created_at.
ALTER TABLE calls ADD COLUMN late INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN boot INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN source TEXT NOT NULL DEFAULT '';

CREATE TABLE people (
    id INTEGER PRIMARY KEY,
    contact TEXT NOT NULL,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    -- Name and address as they are searched.
    folded TEXT NOT NULL,
    UNIQUE (contact, name, address)
) STRICT;
INSERT INTO people (contact, name, address, folded)
    SELECT DISTINCT contact, name, address, ahoy_fold(name || char(10) || address) FROM calls;

-- Notes and messages as they are searched; only calls that have one.
CREATE TABLE told (id INTEGER PRIMARY KEY, folded TEXT NOT NULL) STRICT;
CREATE VIRTUAL TABLE told_index USING fts5 (
    folded, content = 'told', content_rowid = 'id', tokenize = 'trigram case_sensitive 1', detail = none, columnsize = 0
);
INSERT INTO told_index (told_index, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER told_added AFTER INSERT ON told BEGIN
    INSERT INTO told_index (rowid, folded) VALUES (new.id, new.folded);
END;
CREATE TRIGGER told_removed AFTER DELETE ON told BEGIN
    INSERT INTO told_index (told_index, rowid, folded) VALUES ('delete', old.id, old.folded);
END;
CREATE TRIGGER told_changed AFTER UPDATE ON told BEGIN
    INSERT INTO told_index (told_index, rowid, folded) VALUES ('delete', old.id, old.folded);
    INSERT INTO told_index (rowid, folded) VALUES (new.id, new.folded);
END;
INSERT INTO told (id, folded) SELECT id, ahoy_fold(note) FROM calls WHERE note <> '';

UPDATE calls SET answered_boot = answered_at,
    person = (SELECT p.id FROM people p
              WHERE p.contact = calls.contact AND p.name = calls.name AND p.address = calls.address);
UPDATE calls SET late = 1 FROM (
    SELECT id AS of, created_at < max(created_at) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_late
    FROM calls
) AS order_of WHERE calls.id = order_of.of AND order_of.is_late;

DROP TRIGGER events_stay;
UPDATE events SET boot = at, source = CASE fact
    WHEN 'dialed' THEN 'local'
    WHEN 'offered' THEN 'remote'
    WHEN 'ringing-there' THEN 'remote'
    WHEN 'ringing-here' THEN 'local'
    WHEN 'answered' THEN iif((SELECT direction FROM calls WHERE id = events.row) = 'outgoing', 'remote', 'local')
    WHEN 'ended' THEN iif(json_extract(data, '$.reason') = 'interrupted', 'restart', json_extract(data, '$.ended-by'))
    ELSE 'network' END;
-- Version 1 had the calendar alone; the duration it counted is right.
UPDATE events SET boot = (SELECT answered_at + duration_ms * 1000 FROM calls WHERE id = events.row)
    WHERE fact = 'ended' AND (SELECT answered_at FROM calls WHERE id = events.row) <> 0;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;

CREATE INDEX calls_by_person ON calls (person, id);
CREATE INDEX calls_by_outcome ON calls (outcome, id);
CREATE INDEX calls_late ON calls (id) WHERE late = 1;
