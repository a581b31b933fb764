-- Bringing leads to buyers, and background work.

CREATE TABLE delivery (
    id              :id NOT NULL PRIMARY KEY,
    sale_id         :id NOT NULL REFERENCES sale (id),
    lead_id         :id NOT NULL REFERENCES lead (id),
    buyer_id        :id NOT NULL REFERENCES buyer (id),
    destination_id  :id NOT NULL REFERENCES destination (id),
    state           TEXT NOT NULL,
    attempts        :int NOT NULL,
    next_attempt_at :time,
    reference       TEXT,
    created_at      :time NOT NULL,
    finished_at     :time,
    UNIQUE (sale_id, destination_id)
):strict;
CREATE INDEX delivery_lead ON delivery (lead_id);
CREATE INDEX delivery_buyer ON delivery (buyer_id, created_at);
CREATE INDEX delivery_destination ON delivery (destination_id, state);
CREATE INDEX delivery_state ON delivery (state, created_at);

CREATE TABLE attempt (
    id            :id NOT NULL PRIMARY KEY,
    delivery_id   :id NOT NULL REFERENCES delivery (id),
    number        :int NOT NULL,
    started_at    :time NOT NULL,
    finished_at   :time,
    outcome       TEXT,
    status_code   :int,
    duration_ms   :int,
    answer        TEXT,
    error         TEXT,
    UNIQUE (delivery_id, number)
):strict;

CREATE TABLE task (
    id            :id NOT NULL PRIMARY KEY,
    kind          TEXT NOT NULL,
    lane          TEXT NOT NULL,
    payload       TEXT NOT NULL,
    dedupe_key    TEXT UNIQUE,
    run_at        :time NOT NULL,
    attempts      :int NOT NULL,
    lease_id      :id,
    leased_until  :time,
    dead_at       :time,
    last_error    TEXT,
    created_at    :time NOT NULL
):strict;
CREATE INDEX task_due ON task (run_at, id) WHERE dead_at IS NULL AND lease_id IS NULL;
CREATE INDEX task_leased ON task (leased_until) WHERE lease_id IS NOT NULL;
CREATE INDEX task_dead ON task (dead_at) WHERE dead_at IS NOT NULL;

CREATE TABLE ad_spend (
    source_id     :id NOT NULL REFERENCES source (id),
    day           TEXT NOT NULL,
    amount_minor  :int NOT NULL CHECK (amount_minor >= 0),
    recorded_at   :time NOT NULL,
    PRIMARY KEY (source_id, day)
):strict;
