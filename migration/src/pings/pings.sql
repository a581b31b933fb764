-- Buyers asked for bids, and what they answered. No personal value is in any column.
CREATE TABLE ping (
    id              :id NOT NULL PRIMARY KEY,
    lead_id         :id REFERENCES lead (id),
    quote_id        :id,
    campaign_id     :id NOT NULL REFERENCES campaign (id),
    contract_id     :id NOT NULL REFERENCES contract (id),
    buyer_id        :id NOT NULL REFERENCES buyer (id),
    destination_id  :id NOT NULL REFERENCES destination (id),
    stage           TEXT NOT NULL,
    verdict         TEXT NOT NULL,
    currency        TEXT NOT NULL,
    price_minor     :int,
    shared_minor    TEXT NOT NULL,
    reference       TEXT,
    reason          TEXT,
    status_code     :int,
    took_ms         :int NOT NULL,
    request         TEXT NOT NULL,
    answer          TEXT,
    asked_at        :time NOT NULL,
    expires_at      :time
):strict;
CREATE INDEX ping_lead ON ping (lead_id, contract_id);
CREATE INDEX ping_quote ON ping (quote_id);
CREATE INDEX ping_buyer ON ping (buyer_id, asked_at);
CREATE INDEX ping_asked ON ping (asked_at, id);
