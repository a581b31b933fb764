-- Experiments and waiting: which plan a lead followed in which experiment, and when it is offered again.
ALTER TABLE lead ADD COLUMN split TEXT;
ALTER TABLE lead ADD COLUMN plan TEXT;
ALTER TABLE lead ADD COLUMN offer_at :time;
-- Leads of experiments, of which a report is made.
CREATE INDEX lead_split ON lead (campaign_id, split, received_at) WHERE split IS NOT NULL;
-- Leads that wait: few among many.
CREATE INDEX lead_waiting ON lead (campaign_id, offer_at) WHERE offer_at IS NOT NULL;
-- Leads that nobody bought: they age.
CREATE INDEX lead_unsold ON lead (campaign_id, received_at) WHERE state = 'UNSOLD';
