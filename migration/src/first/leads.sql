-- Leads and what became of them. Personal values live sealed under their person's key; everything else holds ids.

CREATE TABLE person (
    id             :id NOT NULL PRIMARY KEY,
    identity_hash  :bytes UNIQUE,
    master_key_id  TEXT NOT NULL,
    wrapped_key    :bytes,
    created_at     :time NOT NULL,
    erased_at      :time
):strict;

CREATE TABLE lead (
    id              :id NOT NULL PRIMARY KEY,
    campaign_id     :id NOT NULL REFERENCES campaign (id),
    source_id       :id NOT NULL REFERENCES source (id),
    supplier_id     :id NOT NULL REFERENCES supplier (id),
    person_id       :id NOT NULL REFERENCES person (id),
    door            TEXT NOT NULL,
    state           TEXT NOT NULL,
    reason          TEXT,
    fields          TEXT NOT NULL,
    sealed_fields   :bytes,
    subid           TEXT,
    external_id     TEXT,
    accepted        :bool NOT NULL,
    score           :int,
    enquired_at     :time NOT NULL,
    received_at     :time NOT NULL,
    state_since     :time NOT NULL,
    retry_until     :time,
    decisions       :int NOT NULL
):strict;
CREATE INDEX lead_received ON lead (received_at, id);
CREATE INDEX lead_campaign ON lead (campaign_id, received_at);
CREATE INDEX lead_source ON lead (source_id, received_at);
CREATE INDEX lead_person ON lead (person_id);
CREATE INDEX lead_state ON lead (state, received_at);

CREATE TABLE lead_fingerprint (
    hash         :bytes NOT NULL,
    lead_id      :id NOT NULL REFERENCES lead (id),
    campaign_id  :id NOT NULL,
    received_at  :time NOT NULL,
    PRIMARY KEY (hash, lead_id)
):strict_without_rowid;

CREATE TABLE consent (
    id            :id NOT NULL PRIMARY KEY,
    lead_id       :id NOT NULL UNIQUE REFERENCES lead (id),
    text_version  TEXT,
    given_at      :time,
    basis         TEXT,
    purposes      TEXT NOT NULL,
    recipients    TEXT NOT NULL,
    sealed        :bytes NOT NULL,
    created_at    :time NOT NULL
):strict;

CREATE TABLE lead_event (
    lead_id  :id NOT NULL REFERENCES lead (id),
    seq      :int NOT NULL,
    kind     TEXT NOT NULL,
    at       :time NOT NULL,
    detail   TEXT NOT NULL,
    PRIMARY KEY (lead_id, seq)
):strict_without_rowid;

CREATE TABLE decision (
    id                    :id NOT NULL PRIMARY KEY,
    no                    :int NOT NULL UNIQUE,
    lead_id               :id NOT NULL REFERENCES lead (id),
    number                :int NOT NULL,
    rules_version         :int NOT NULL,
    campaign_revision_id  :id NOT NULL,
    source_revision_id    :id NOT NULL,
    postal_version        :int NOT NULL,
    outcome               TEXT NOT NULL,
    data                  TEXT NOT NULL,
    decided_at            :time NOT NULL,
    UNIQUE (lead_id, number)
):strict;

CREATE TABLE sale (
    id                    :id NOT NULL PRIMARY KEY,
    lead_id               :id NOT NULL REFERENCES lead (id),
    decision_id           :id NOT NULL REFERENCES decision (id),
    campaign_id           :id NOT NULL REFERENCES campaign (id),
    source_id             :id NOT NULL REFERENCES source (id),
    supplier_id           :id NOT NULL REFERENCES supplier (id),
    buyer_id              :id NOT NULL REFERENCES buyer (id),
    group_id              :id NOT NULL,
    contract_id           :id NOT NULL REFERENCES contract (id),
    contract_revision_id  :id NOT NULL REFERENCES revision (id),
    stage                 TEXT NOT NULL,
    leg                   :int NOT NULL,
    exclusive             :bool NOT NULL,
    verdict               TEXT NOT NULL,
    state                 TEXT NOT NULL,
    counted               :bool NOT NULL,
    currency              TEXT NOT NULL,
    price_minor           :int NOT NULL CHECK (price_minor >= 0),
    payout_minor          :int NOT NULL CHECK (payout_minor >= 0),
    day                   TEXT NOT NULL,
    sold_at               :time NOT NULL,
    state_since           :time NOT NULL,
    reference             TEXT,
    reason                TEXT
):strict;
-- A lead is never sold twice to a buyer or group (a buyer without a group is its own group), whatever runs at once.
CREATE UNIQUE INDEX sale_once_per_group ON sale (lead_id, group_id) WHERE state IN ('PENDING', 'SOLD', 'UNKNOWN', 'UNKNOWN_EXPIRED');
-- An exclusive lead is sold once.
CREATE UNIQUE INDEX sale_exclusive_once ON sale (lead_id) WHERE exclusive AND state IN ('PENDING', 'SOLD', 'UNKNOWN', 'UNKNOWN_EXPIRED');
CREATE INDEX sale_lead ON sale (lead_id);
CREATE INDEX sale_contract ON sale (contract_id, sold_at);
CREATE INDEX sale_buyer ON sale (buyer_id, sold_at);
CREATE INDEX sale_campaign ON sale (campaign_id, sold_at);
CREATE INDEX sale_day ON sale (day);

CREATE TABLE complaint (
    id              :id NOT NULL PRIMARY KEY,
    sale_id         :id NOT NULL REFERENCES sale (id),
    lead_id         :id NOT NULL REFERENCES lead (id),
    campaign_id     :id NOT NULL REFERENCES campaign (id),
    buyer_id        :id NOT NULL REFERENCES buyer (id),
    contract_id     :id NOT NULL REFERENCES contract (id),
    reason          TEXT NOT NULL,
    evidence        TEXT,
    state           TEXT NOT NULL,
    credit_minor    :int NOT NULL CHECK (credit_minor >= 0),
    clawback_minor  :int NOT NULL CHECK (clawback_minor >= 0),
    currency        TEXT NOT NULL,
    note            TEXT,
    opened_by       TEXT NOT NULL,
    opened_at       :time NOT NULL,
    decided_by      TEXT,
    decided_at      :time
):strict;
CREATE UNIQUE INDEX complaint_open_once ON complaint (sale_id) WHERE state = 'OPEN';
CREATE INDEX complaint_sale ON complaint (sale_id);
CREATE INDEX complaint_buyer ON complaint (buyer_id, opened_at);
CREATE INDEX complaint_opened ON complaint (opened_at);

CREATE TABLE conversion (
    id           :id NOT NULL PRIMARY KEY,
    sale_id      :id NOT NULL REFERENCES sale (id),
    lead_id      :id NOT NULL REFERENCES lead (id),
    buyer_id     :id NOT NULL REFERENCES buyer (id),
    kind         TEXT NOT NULL,
    value_minor  :int,
    happened_at  :time NOT NULL,
    reported_at  :time NOT NULL,
    UNIQUE (sale_id, kind)
):strict;
CREATE INDEX conversion_buyer ON conversion (buyer_id);

CREATE TABLE idempotency_record (
    scope         TEXT NOT NULL,
    key           :bytes NOT NULL,
    request_hash  :bytes NOT NULL,
    lead_id       :id NOT NULL REFERENCES lead (id),
    answer        TEXT NOT NULL,
    created_at    :time NOT NULL,
    PRIMARY KEY (scope, key)
):strict_without_rowid;
CREATE INDEX idempotency_record_age ON idempotency_record (created_at);
