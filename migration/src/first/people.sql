-- Who may come in, what they did, and whom we must not contact.

CREATE TABLE user_account (
    id              :id NOT NULL PRIMARY KEY,
    email           TEXT NOT NULL UNIQUE,
    name            TEXT NOT NULL,
    role            TEXT NOT NULL,
    buyer_id        :id REFERENCES buyer (id),
    supplier_id     :id REFERENCES supplier (id),
    password_hash   TEXT NOT NULL,
    disabled_at     :time,
    failed_sign_ins :int NOT NULL,
    locked_until    :time,
    created_at      :time NOT NULL
):strict;

CREATE TABLE session (
    id           :id NOT NULL PRIMARY KEY,
    user_id      :id NOT NULL REFERENCES user_account (id),
    token_hash   :bytes NOT NULL UNIQUE,
    created_at   :time NOT NULL,
    expires_at   :time NOT NULL,
    revoked_at   :time
):strict;
CREATE INDEX session_of_user ON session (user_id);

CREATE TABLE api_key (
    id            :id NOT NULL PRIMARY KEY,
    public_id     TEXT NOT NULL UNIQUE,
    secret_hash   :bytes NOT NULL,
    label         TEXT NOT NULL,
    source_id     :id REFERENCES source (id),
    user_id       :id REFERENCES user_account (id),
    created_at    :time NOT NULL,
    expires_at    :time,
    revoked_at    :time,
    last_used_at  :time
):strict;
CREATE INDEX api_key_source ON api_key (source_id);

CREATE TABLE suppression_entry (
    hash         :bytes NOT NULL,
    campaign_id  :id NOT NULL,
    field        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    created_at   :time NOT NULL,
    PRIMARY KEY (hash, campaign_id)
):strict;

CREATE TABLE audit (
    no         :int NOT NULL PRIMARY KEY,
    at         :time NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    noun       TEXT NOT NULL,
    noun_id    :id,
    detail     TEXT NOT NULL,
    previous   :bytes NOT NULL,
    hash       :bytes NOT NULL
):strict;

INSERT INTO market_state (name, value) VALUES ('audit_no', 0);
