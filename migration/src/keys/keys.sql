-- Keys of users, what is sent to people by mail, and the audit by what it is about and by whom.

-- What a user's key may do, as words; a source's key has none.
ALTER TABLE api_key ADD COLUMN scopes TEXT;
CREATE INDEX api_key_user ON api_key (user_id, created_at);
CREATE INDEX api_key_age ON api_key (created_at, id);

-- How the mail of an invitation stands; null where whoever invites hands the link on.
ALTER TABLE invitation ADD COLUMN mail TEXT;
ALTER TABLE invitation ADD COLUMN mailed_at :time;

-- How often a new password was asked for, for one address or from one place. What it is about is a keyed hash.
CREATE TABLE reset_request (
    about        :bytes NOT NULL PRIMARY KEY,
    asked_count  :int NOT NULL,
    since        :time NOT NULL
):strict;
CREATE INDEX reset_request_age ON reset_request (since);

CREATE INDEX audit_subject ON audit (noun_id, no);
CREATE INDEX audit_actor ON audit (actor, no);
