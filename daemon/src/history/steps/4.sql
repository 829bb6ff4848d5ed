-- Version 4: how the line of a call was, as the last event of the call tells it.
ALTER TABLE calls ADD COLUMN path TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN quality TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN repairs INTEGER NOT NULL DEFAULT 0;
