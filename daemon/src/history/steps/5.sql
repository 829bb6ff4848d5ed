-- Version 5: who else was in a call, as the last event that tells of them has it; a list of a group's members in JSON.
ALTER TABLE calls ADD COLUMN peers TEXT NOT NULL DEFAULT '[]';
