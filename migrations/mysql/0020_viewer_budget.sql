-- What a viewer may still claim over all videos together: see core/domain/src/playback/viewer.rs.

-- NULL in the versions before these rules: their plays had no such limits.
ALTER TABLE play_rules
    ADD COLUMN credit_burst_s BIGINT,
    ADD COLUMN max_unconfirmed_s BIGINT,
    ADD COLUMN min_watch_s BIGINT,
    ADD COLUMN views_per_minute BIGINT,
    ADD COLUMN view_burst BIGINT,
    ADD COLUMN videos_per_hour BIGINT,
    ADD COLUMN video_burst BIGINT;

-- Instants in microseconds of the intake's passed time. The embedded intake uses the table; in a fleet
-- Redis has the same facts, and the table is empty.
CREATE TABLE viewer_budget (
    user_id BIGINT NOT NULL PRIMARY KEY,
    last_micros BIGINT NOT NULL,
    credit_tat_micros BIGINT NOT NULL,
    view_tat_micros BIGINT NOT NULL,
    -- Credited seconds that can still become ad views; NULL for a new viewer.
    ad_stock_s BIGINT,
    -- video:since:credit TAT:pause TAT:uncounted seconds of each open session, separated by commas.
    open_sessions VARCHAR(3000) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX viewer_budget_last_ix ON viewer_budget (last_micros);

ALTER TABLE watch_session DROP COLUMN is_open;

-- The limit of an account's registrations of videos: the theoretical arrival time.
ALTER TABLE users ADD COLUMN video_tat_micros BIGINT NOT NULL DEFAULT 0;

-- Whether the viewer's account was younger than seven days; NULL if that is unknown.
-- Instant: the server changes the metadata of the table only.
ALTER TABLE play_history ADD COLUMN new_account SMALLINT, ALGORITHM = INSTANT;
