-- Version 3: words of others as they can be shown anywhere, U+0000 and what turns or hides letters left out; texts are
-- searched in one normal form.
UPDATE calls SET name = ahoy_name(name), note = ahoy_note(note), message = ahoy_note(message)
    WHERE name <> ahoy_name(name) OR note <> ahoy_note(note) OR message <> ahoy_note(message);

DROP TRIGGER events_stay;
UPDATE events SET data = ahoy_told(data)
    WHERE (instr(data, '"name"') OR instr(data, '"note"') OR instr(data, '"message"')) AND data <> ahoy_told(data);
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;

-- Two names may have become one.
INSERT OR IGNORE INTO people (contact, name, address, folded) SELECT DISTINCT contact, name, address, '' FROM calls;
UPDATE calls SET person = (SELECT p.id FROM people p
    WHERE p.contact = calls.contact AND p.name = calls.name AND p.address = calls.address);
DELETE FROM people WHERE id NOT IN (SELECT person FROM calls);
UPDATE people SET folded = ahoy_fold(name || char(10) || address);

DELETE FROM told;
INSERT INTO told (id, folded) SELECT id, ahoy_fold(note || char(10) || message) FROM calls WHERE note <> '' OR message <> '';
