-- What suppliers were quoted when they pinged. No personal value is in any column.
CREATE TABLE quote (
    id              :id NOT NULL PRIMARY KEY,
    source_id       :id NOT NULL REFERENCES source (id),
    supplier_id     :id NOT NULL REFERENCES supplier (id),
    campaign_id     :id NOT NULL REFERENCES campaign (id),
    state           TEXT NOT NULL,
    reason          TEXT,
    fields          TEXT NOT NULL,
    subid           TEXT,
    currency        TEXT NOT NULL,
    promise_minor   :int,
    legs            TEXT NOT NULL,
    data            TEXT,
    asked_at        :time NOT NULL,
    expires_at      :time,
    lead_id         :id UNIQUE REFERENCES lead (id),
    posted_at       :time,
    CHECK ((state = 'OFFERED') = (promise_minor IS NOT NULL)),
    CHECK ((promise_minor IS NULL) = (expires_at IS NULL)),
    CHECK ((lead_id IS NULL) = (posted_at IS NULL)),
    CHECK (lead_id IS NULL OR promise_minor IS NOT NULL)
):strict;
CREATE INDEX quote_source ON quote (source_id, asked_at);
CREATE INDEX quote_campaign ON quote (campaign_id, asked_at);
CREATE INDEX quote_asked ON quote (asked_at, id);

-- How many pings of a source a limit's time has seen.
CREATE TABLE ping_counter (
    source_id       :id NOT NULL REFERENCES source (id),
    period          TEXT NOT NULL,
    starts_at       :time NOT NULL,
    count           :int NOT NULL,
    PRIMARY KEY (source_id, period, starts_at)
):strict_without_rowid;
