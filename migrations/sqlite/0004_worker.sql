-- Processes that work: each tells every third of a lease that it is there. Times are the
-- database's, in microseconds since 1970.
CREATE TABLE worker (
    name VARCHAR(255) NOT NULL PRIMARY KEY,
    host VARCHAR(255) NOT NULL,
    process_id BIGINT NOT NULL,
    version VARCHAR(64) NOT NULL,
    concurrency BIGINT NOT NULL,
    started_at_micros BIGINT NOT NULL,
    last_seen_micros BIGINT NOT NULL,
    alive_until_micros BIGINT NOT NULL
) WITHOUT ROWID;
