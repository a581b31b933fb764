-- Signing in: the second factor, and patience with those who guess.

-- The secret is sealed; it counts from `totp_since` on. A code's step is used up by the first who shows it.
ALTER TABLE user_account ADD COLUMN totp_secret :bytes;
ALTER TABLE user_account ADD COLUMN totp_since :time;
ALTER TABLE user_account ADD COLUMN totp_step :int;

-- What lets somebody in who lost the device, each once. Keyed hashes.
CREATE TABLE recovery_code (
    user_id    :id NOT NULL REFERENCES user_account (id),
    code_hash  :bytes NOT NULL,
    used_at    :time,
    PRIMARY KEY (user_id, code_hash)
):strict;

-- How often somebody failed as a user from one place (a keyed hash of the address), and whether they ever signed in there.
CREATE TABLE sign_in_place (
    user_id         :id NOT NULL REFERENCES user_account (id),
    place           :bytes NOT NULL,
    failures        :int NOT NULL,
    last_failed_at  :time,
    paused_until    :time,
    signed_in_at    :time,
    PRIMARY KEY (user_id, place)
):strict;
