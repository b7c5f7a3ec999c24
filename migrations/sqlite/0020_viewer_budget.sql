-- What a viewer may still claim over all videos together: see core/domain/src/playback/viewer.rs.

-- NULL in the versions before these rules: their plays had no such limits.
ALTER TABLE play_rules ADD COLUMN credit_burst_s BIGINT;
ALTER TABLE play_rules ADD COLUMN max_unconfirmed_s BIGINT;
ALTER TABLE play_rules ADD COLUMN min_watch_s BIGINT;
ALTER TABLE play_rules ADD COLUMN views_per_minute BIGINT;
ALTER TABLE play_rules ADD COLUMN view_burst BIGINT;
ALTER TABLE play_rules ADD COLUMN videos_per_hour BIGINT;
ALTER TABLE play_rules ADD COLUMN video_burst BIGINT;

-- Instants in microseconds of the intake's passed time. The embedded intake uses the table; in a fleet
-- Redis has the same facts.
CREATE TABLE viewer_budget (
    user_id BIGINT NOT NULL PRIMARY KEY,
    last_micros BIGINT NOT NULL,
    credit_tat_micros BIGINT NOT NULL,
    view_tat_micros BIGINT NOT NULL,
    -- Credited seconds that can still become ad views; NULL for a new viewer.
    ad_stock_s BIGINT,
    -- video:since:credit TAT:pause TAT:uncounted seconds of each open session, separated by commas.
    open_sessions VARCHAR(3000) NOT NULL
) WITHOUT ROWID;

CREATE INDEX viewer_budget_last_ix ON viewer_budget (last_micros);

-- The newest open sessions of each viewer stay open.
INSERT INTO viewer_budget (user_id, last_micros, credit_tat_micros, view_tat_micros, open_sessions)
    SELECT user_id, MAX(since_micros), 0, 0,
        GROUP_CONCAT(video_id || ':' || since_micros || ':' || since_micros || ':0:-1')
    FROM (
        SELECT user_id, video_id, since_micros,
            ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY since_micros DESC) AS n
        FROM watch_session WHERE is_open = 1
    ) AS opened
    WHERE n <= 32
    GROUP BY user_id;

ALTER TABLE watch_session DROP COLUMN is_open;

-- The limit of an account's registrations of videos: the theoretical arrival time.
ALTER TABLE users ADD COLUMN video_tat_micros BIGINT NOT NULL DEFAULT 0;

-- Whether the viewer's account was younger than seven days; NULL if that is unknown.
ALTER TABLE play_history ADD COLUMN new_account SMALLINT;
