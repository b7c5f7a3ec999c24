-- Who can log in, who is logged in, and what was created under which name of a request.

-- The next id to try for what people make; imports bring ids of their own.
CREATE TABLE next_id (
    name VARCHAR(16) NOT NULL PRIMARY KEY,
    id BIGINT NOT NULL
) WITHOUT ROWID;

INSERT INTO next_id (name, id) VALUES ('users', 1), ('video', 1), ('ad', 1);

-- Argon2id in PHC form. Users who came with an import have none.
CREATE TABLE credential (
    user_id BIGINT NOT NULL PRIMARY KEY,
    password_hash VARCHAR(255) NOT NULL,
    changed_at DATETIME(6) NOT NULL
) WITHOUT ROWID;

-- SHA-256 of each token. Those of one login are a family, which is revoked by deleting it. Times in
-- microseconds since 1970.
CREATE TABLE refresh_token (
    token_hash BINARY(32) NOT NULL PRIMARY KEY,
    family BINARY(16) NOT NULL,
    user_id BIGINT NOT NULL,
    expires_micros BIGINT NOT NULL,
    used_micros BIGINT
) WITHOUT ROWID;

CREATE INDEX refresh_token_family_ix ON refresh_token (family);
CREATE INDEX refresh_token_user_ix ON refresh_token (user_id);
CREATE INDEX refresh_token_expires_ix ON refresh_token (expires_micros);

-- What was created for a request that its client gave a name.
CREATE TABLE creation_reply (
    user_id BIGINT NOT NULL,
    idempotency_key VARCHAR(128) NOT NULL,
    request_hash BINARY(32) NOT NULL,
    created_id BIGINT NOT NULL,
    expires_micros BIGINT NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
) WITHOUT ROWID;

CREATE INDEX creation_reply_expires_ix ON creation_reply (expires_micros);

CREATE INDEX video_title_ix ON video (title, id);
