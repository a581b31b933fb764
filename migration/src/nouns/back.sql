DROP INDEX conversion_reported;
DROP INDEX hold_created;
DROP INDEX consent_created;
ALTER TABLE destination DROP COLUMN tested_at;

CREATE TABLE suppression_entry_old (
    hash         :bytes NOT NULL,
    campaign_id  :id NOT NULL,
    field        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    created_at   :time NOT NULL,
    PRIMARY KEY (hash, campaign_id)
):strict;
INSERT INTO suppression_entry_old (hash, campaign_id, field, reason, created_at)
    SELECT hash, campaign_id, field, reason, created_at FROM suppression_entry;
DROP TABLE suppression_entry;
ALTER TABLE suppression_entry_old RENAME TO suppression_entry;
