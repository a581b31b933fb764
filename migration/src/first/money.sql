-- Money. Only posted transfers are ledger; stored balances are caches that `doctor` compares with them.

CREATE TABLE ledger_account (
    id                  :id NOT NULL PRIMARY KEY,
    kind                TEXT NOT NULL,
    owner_id            :id NOT NULL,
    currency            TEXT NOT NULL,
    balance_minor       :int NOT NULL,
    held_minor          :int NOT NULL CHECK (held_minor >= 0),
    credit_limit_minor  :int NOT NULL CHECK (credit_limit_minor >= 0),
    created_at          :time NOT NULL,
    UNIQUE (kind, owner_id, currency)
):strict;

CREATE TABLE ledger_transfer (
    id                 :id NOT NULL PRIMARY KEY,
    kind               TEXT NOT NULL,
    debit_account_id   :id NOT NULL REFERENCES ledger_account (id),
    credit_account_id  :id NOT NULL REFERENCES ledger_account (id),
    amount_minor       :int NOT NULL CHECK (amount_minor > 0),
    currency           TEXT NOT NULL,
    sale_id            :id REFERENCES sale (id),
    lead_id            :id REFERENCES lead (id),
    complaint_id       :id REFERENCES complaint (id),
    campaign_id        :id,
    source_id          :id,
    supplier_id        :id,
    buyer_id           :id,
    contract_id        :id,
    day                TEXT NOT NULL,
    memo               TEXT,
    created_by         TEXT NOT NULL,
    posted_at          :time NOT NULL,
    idempotency_key    TEXT NOT NULL UNIQUE,
    CHECK (debit_account_id <> credit_account_id)
):strict;
CREATE INDEX ledger_transfer_debit ON ledger_transfer (debit_account_id, posted_at);
CREATE INDEX ledger_transfer_credit ON ledger_transfer (credit_account_id, posted_at);
CREATE INDEX ledger_transfer_day ON ledger_transfer (day, kind);
CREATE INDEX ledger_transfer_lead ON ledger_transfer (lead_id);

CREATE TABLE hold (
    id            :id NOT NULL PRIMARY KEY,
    sale_id       :id NOT NULL UNIQUE REFERENCES sale (id),
    account_id    :id NOT NULL REFERENCES ledger_account (id),
    amount_minor  :int NOT NULL CHECK (amount_minor >= 0),
    created_at    :time NOT NULL
):strict;

CREATE TABLE hold_resolution (
    hold_id      :id NOT NULL PRIMARY KEY REFERENCES hold (id),
    kind         TEXT NOT NULL,
    resolved_at  :time NOT NULL
):strict;

CREATE TABLE cap_counter (
    owner_id      :id NOT NULL,
    period        TEXT NOT NULL,
    starts_at     :time NOT NULL,
    ends_at       :time NOT NULL,
    count         :int NOT NULL CHECK (count >= 0),
    amount_minor  :int NOT NULL CHECK (amount_minor >= 0),
    PRIMARY KEY (owner_id, period, starts_at)
):strict_without_rowid;

CREATE TABLE stage_rotation (
    campaign_id  :id NOT NULL REFERENCES campaign (id),
    stage        TEXT NOT NULL,
    state        TEXT NOT NULL,
    PRIMARY KEY (campaign_id, stage)
):strict;
