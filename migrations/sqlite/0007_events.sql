-- Events of the intake's stream that the history does not take.

-- They came after their day was closed, and count for nothing.
CREATE TABLE late_event (
    event_id BINARY(16) NOT NULL PRIMARY KEY,
    date DATE NOT NULL,
    video_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    occurred_at_micros BIGINT NOT NULL,
    counted SMALLINT NOT NULL,
    play_time BIGINT NOT NULL,
    reported_time BIGINT NOT NULL,
    received_at DATETIME(6) NOT NULL
) WITHOUT ROWID;

CREATE INDEX late_event_date_ix ON late_event (date, event_id);

-- They can never be written: what they said, cut, and why not. The key is the place in the stream.
CREATE TABLE rejected_event (
    shard SMALLINT NOT NULL,
    entry_ms BIGINT NOT NULL,
    entry_sequence BIGINT NOT NULL,
    event_id BINARY(16),
    payload VARCHAR(1000) NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    rejected_at DATETIME(6) NOT NULL,
    PRIMARY KEY (shard, entry_ms, entry_sequence)
) WITHOUT ROWID;

CREATE INDEX rejected_event_id_ix ON rejected_event (event_id);
