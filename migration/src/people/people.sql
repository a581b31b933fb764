-- People: how they come in, how a forgotten password is replaced, and what they are told of their sessions.

-- Somebody may become a user. The token is a secret: only its hash is kept.
CREATE TABLE invitation (
    id           :id NOT NULL PRIMARY KEY,
    token_hash   :bytes NOT NULL UNIQUE,
    email        TEXT NOT NULL,
    role         TEXT NOT NULL,
    buyer_id     :id REFERENCES buyer (id),
    supplier_id  :id REFERENCES supplier (id),
    invited_by   :id REFERENCES user_account (id),
    created_at   :time NOT NULL,
    expires_at   :time NOT NULL,
    accepted_at  :time,
    revoked_at   :time
):strict;
CREATE INDEX invitation_email ON invitation (email);
CREATE INDEX invitation_age ON invitation (created_at, id);

-- A user may choose a new password, once.
CREATE TABLE password_reset (
    id           :id NOT NULL PRIMARY KEY,
    token_hash   :bytes NOT NULL UNIQUE,
    user_id      :id NOT NULL REFERENCES user_account (id),
    created_at   :time NOT NULL,
    expires_at   :time NOT NULL,
    used_at      :time
):strict;
CREATE INDEX password_reset_user ON password_reset (user_id);

-- When a session was used last (to the minute), and from where and with what it was begun, both shortened.
ALTER TABLE session ADD COLUMN last_used_at :time;
ALTER TABLE session ADD COLUMN address TEXT;
ALTER TABLE session ADD COLUMN agent TEXT;

CREATE INDEX user_name ON user_account (name, id);
CREATE INDEX user_age ON user_account (created_at, id);
