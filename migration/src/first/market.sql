-- The market's set-up: who trades what with whom. Heads carry what never changes and the current status;
-- everything agreed is a revision.

CREATE TABLE market_state (
    name   TEXT NOT NULL PRIMARY KEY,
    value  :int NOT NULL
):strict;

CREATE TABLE data_key (
    name           TEXT NOT NULL PRIMARY KEY,
    master_key_id  TEXT NOT NULL,
    wrapped        :bytes NOT NULL,
    created_at     :time NOT NULL
):strict;

CREATE TABLE revision (
    id           :id NOT NULL PRIMARY KEY,
    noun         TEXT NOT NULL,
    noun_id      :id NOT NULL,
    version      :int NOT NULL,
    no           :int NOT NULL UNIQUE,
    terms        TEXT NOT NULL,
    created_at   :time NOT NULL,
    created_by   TEXT NOT NULL,
    UNIQUE (noun, noun_id, version)
):strict;

CREATE TABLE vertical (
    id           :id NOT NULL PRIMARY KEY,
    key          TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    revision_id  :id NOT NULL REFERENCES revision (id),
    version      :int NOT NULL,
    created_at   :time NOT NULL
):strict;

CREATE TABLE campaign (
    id           :id NOT NULL PRIMARY KEY,
    vertical_id  :id NOT NULL REFERENCES vertical (id),
    name         TEXT NOT NULL UNIQUE,
    country      TEXT NOT NULL,
    currency     TEXT NOT NULL,
    status       TEXT NOT NULL,
    revision_id  :id NOT NULL REFERENCES revision (id),
    version      :int NOT NULL,
    created_at   :time NOT NULL
):strict;

CREATE TABLE supplier (
    id          :id NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    email       TEXT,
    status      TEXT NOT NULL,
    created_at  :time NOT NULL
):strict;

CREATE TABLE source (
    id           :id NOT NULL PRIMARY KEY,
    supplier_id  :id NOT NULL REFERENCES supplier (id),
    campaign_id  :id NOT NULL REFERENCES campaign (id),
    name         TEXT NOT NULL,
    form_key     TEXT NOT NULL UNIQUE,
    status       TEXT NOT NULL,
    revision_id  :id NOT NULL REFERENCES revision (id),
    version      :int NOT NULL,
    created_at   :time NOT NULL,
    UNIQUE (campaign_id, name)
):strict;

CREATE TABLE buyer_group (
    id          :id NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    created_at  :time NOT NULL
):strict;

CREATE TABLE buyer (
    id           :id NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    email        TEXT,
    status       TEXT NOT NULL,
    revision_id  :id NOT NULL REFERENCES revision (id),
    version      :int NOT NULL,
    created_at   :time NOT NULL
):strict;

CREATE TABLE contract (
    id           :id NOT NULL PRIMARY KEY,
    campaign_id  :id NOT NULL REFERENCES campaign (id),
    buyer_id     :id NOT NULL REFERENCES buyer (id),
    name         TEXT NOT NULL,
    status       TEXT NOT NULL,
    revision_id  :id NOT NULL REFERENCES revision (id),
    version      :int NOT NULL,
    created_at   :time NOT NULL
):strict;
CREATE INDEX contract_campaign ON contract (campaign_id);
CREATE INDEX contract_buyer ON contract (buyer_id);

CREATE TABLE destination (
    id             :id NOT NULL PRIMARY KEY,
    buyer_id       :id NOT NULL REFERENCES buyer (id),
    name           TEXT NOT NULL,
    kind           TEXT NOT NULL,
    status         TEXT NOT NULL,
    config         TEXT NOT NULL,
    sealed_secret  :bytes,
    failing_since  :time,
    notice         TEXT,
    version        :int NOT NULL,
    created_at     :time NOT NULL
):strict;
CREATE INDEX destination_buyer ON destination (buyer_id);

CREATE TABLE postal_code (
    country     TEXT NOT NULL,
    code        TEXT NOT NULL,
    place       TEXT NOT NULL,
    state       TEXT NOT NULL,
    state_code  TEXT NOT NULL,
    latitude    :real NOT NULL,
    longitude   :real NOT NULL,
    PRIMARY KEY (country, code)
):strict;

INSERT INTO market_state (name, value) VALUES ('decision_no', 0), ('config_version', 0), ('postal_version', 0);
