-- What the intake knows: the gate, where people stand, what it answered, what it refused.

-- The last instant of the intake, in microseconds since 1970: it never goes back.
CREATE TABLE intake_clock (
    id SMALLINT NOT NULL PRIMARY KEY,
    last_micros BIGINT NOT NULL
) WITHOUT ROWID;

INSERT INTO intake_clock (id, last_micros) VALUES (1, 0);

-- Until when a view of a user and video is a repeat.
CREATE TABLE view_gate (
    user_id BIGINT NOT NULL,
    video_id BIGINT NOT NULL,
    until_micros BIGINT NOT NULL,
    PRIMARY KEY (user_id, video_id)
) WITHOUT ROWID;

CREATE INDEX view_gate_until_ix ON view_gate (until_micros);

-- Where a user stands in a video, and since when.
CREATE TABLE watch_session (
    user_id BIGINT NOT NULL,
    video_id BIGINT NOT NULL,
    position_s BIGINT NOT NULL,
    since_micros BIGINT NOT NULL,
    is_open SMALLINT NOT NULL,
    PRIMARY KEY (user_id, video_id)
) WITHOUT ROWID;

CREATE INDEX watch_session_since_ix ON watch_session (since_micros);

-- What was answered to a request that the client gave a name.
CREATE TABLE intake_reply (
    user_id BIGINT NOT NULL,
    idempotency_key VARCHAR(128) NOT NULL,
    request VARCHAR(100) NOT NULL,
    answer VARCHAR(100) NOT NULL,
    expires_micros BIGINT NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
) WITHOUT ROWID;

CREATE INDEX intake_reply_expires_ix ON intake_reply (expires_micros);

-- What did not enter the statistics, by day, video and reason: repeats, own plays, seconds beyond
-- what the clock allows.
CREATE TABLE refusal_count (
    date DATE NOT NULL,
    video_id BIGINT NOT NULL,
    reason VARCHAR(10) NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (date, video_id, reason)
) WITHOUT ROWID;
