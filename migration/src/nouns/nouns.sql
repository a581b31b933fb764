-- Suppression entries become things of their own: each has an id, and says who added it.

CREATE TABLE suppression_entry_new (
    id           :id NOT NULL DEFAULT :new_id PRIMARY KEY,
    hash         :bytes NOT NULL,
    campaign_id  :id NOT NULL,
    field        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    created_by   TEXT,
    created_at   :time NOT NULL,
    UNIQUE (hash, campaign_id)
):strict;
INSERT INTO suppression_entry_new (hash, campaign_id, field, reason, created_at)
    SELECT hash, campaign_id, field, reason, created_at FROM suppression_entry;
DROP TABLE suppression_entry;
ALTER TABLE suppression_entry_new RENAME TO suppression_entry;
CREATE INDEX suppression_entry_created ON suppression_entry (created_at, id);

-- When somebody last tried a destination out: a test is not repeated at once, whichever process is asked.
ALTER TABLE destination ADD COLUMN tested_at :time;

-- Lists, newest first.
CREATE INDEX consent_created ON consent (created_at, id);
CREATE INDEX hold_created ON hold (created_at, id);
CREATE INDEX conversion_reported ON conversion (reported_at, id);
