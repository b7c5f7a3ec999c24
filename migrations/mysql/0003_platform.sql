-- The platform: people, videos, ads, what was watched, and what came of it.

CREATE TABLE setting (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    value VARCHAR(255) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE users (
    id BIGINT NOT NULL PRIMARY KEY,
    username VARCHAR(64) NOT NULL,
    role VARCHAR(10) NOT NULL,
    created_at DATETIME(6) NOT NULL,
    CONSTRAINT users_username_un UNIQUE (username)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE video (
    id BIGINT NOT NULL PRIMARY KEY,
    owner_id BIGINT NOT NULL,
    title VARCHAR(200) NOT NULL,
    duration_s BIGINT NOT NULL,
    created_at DATETIME(6) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX video_owner_ix ON video (owner_id, id);

-- Lifetime counts that a video brings from another system.
CREATE TABLE opening_balance (
    video_id BIGINT NOT NULL PRIMARY KEY,
    view_count BIGINT NOT NULL,
    ad_view_count BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE ad (
    id BIGINT NOT NULL PRIMARY KEY,
    title VARCHAR(200) NOT NULL,
    created_at DATETIME(6) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Append-only. play_time is what enters the statistics, reported_time what the source said; both
-- in seconds. Nothing is added to a day on or before closed_through.
CREATE TABLE play_history (
    date DATE NOT NULL,
    event_id BINARY(16) NOT NULL,
    video_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    occurred_at_micros BIGINT NOT NULL,
    counted SMALLINT NOT NULL,
    play_time BIGINT NOT NULL,
    reported_time BIGINT NOT NULL,
    PRIMARY KEY (date, event_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Makes a partition one covering range scan.
CREATE INDEX play_history_day_ix ON play_history (date, video_id, counted, play_time);

-- The key alone decides: an ad view counts once for each user, video, slot and day.
CREATE TABLE ad_history (
    date DATE NOT NULL,
    video_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    slot_s BIGINT NOT NULL,
    ad_id BIGINT NOT NULL,
    PRIMARY KEY (date, video_id, user_id, slot_s)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row: the last day to which nothing is added any more. It only ever grows.
CREATE TABLE closed_through (
    id SMALLINT NOT NULL PRIMARY KEY,
    date DATE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO closed_through (id, date) VALUES (1, NULL);

-- Pay by lifetime count, in millionths of a won for one view. to_count NULL: no end.
CREATE TABLE revenue_rate (
    effective_from DATE NOT NULL,
    kind VARCHAR(10) NOT NULL,
    from_count BIGINT NOT NULL,
    to_count BIGINT,
    rate_micro_won BIGINT NOT NULL,
    PRIMARY KEY (effective_from, kind, from_count)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO revenue_rate (effective_from, kind, from_count, to_count, rate_micro_won) VALUES
    ('1970-01-01', 'VIDEO', 0, 99999, 1000000),
    ('1970-01-01', 'VIDEO', 100000, 499999, 1100000),
    ('1970-01-01', 'VIDEO', 500000, 999999, 1300000),
    ('1970-01-01', 'VIDEO', 1000000, NULL, 1500000),
    ('1970-01-01', 'AD', 0, 99999, 10000000),
    ('1970-01-01', 'AD', 100000, 499999, 12000000),
    ('1970-01-01', 'AD', 500000, 999999, 15000000),
    ('1970-01-01', 'AD', 1000000, NULL, 20000000);

-- A video's settled day; only videos with activity have rows. Times in seconds.
CREATE TABLE video_statistics (
    video_id BIGINT NOT NULL,
    date DATE NOT NULL,
    view_count BIGINT NOT NULL,
    total_play_time BIGINT NOT NULL,
    ad_view_count BIGINT NOT NULL,
    cumulative_view_count BIGINT NOT NULL,
    cumulative_ad_view_count BIGINT NOT NULL,
    PRIMARY KEY (video_id, date)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX video_statistics_day_ix ON video_statistics (date, video_id);
CREATE INDEX video_statistics_views_ix ON video_statistics (date, view_count DESC, video_id);
CREATE INDEX video_statistics_time_ix ON video_statistics (date, total_play_time DESC, video_id);

-- A video's pay for a day, in hundredths of a won.
CREATE TABLE video_revenue (
    video_id BIGINT NOT NULL,
    date DATE NOT NULL,
    view_revenue BIGINT NOT NULL,
    ad_revenue BIGINT NOT NULL,
    total_revenue BIGINT NOT NULL,
    PRIMARY KEY (video_id, date)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX video_revenue_day_ix ON video_revenue (date, video_id);

-- Weeks (from Monday) and months of each video: sums of its days, recomputed, never incremented.
CREATE TABLE period_rollup (
    period VARCHAR(5) NOT NULL,
    start_date DATE NOT NULL,
    video_id BIGINT NOT NULL,
    view_count BIGINT NOT NULL,
    total_play_time BIGINT NOT NULL,
    ad_view_count BIGINT NOT NULL,
    view_revenue BIGINT NOT NULL,
    ad_revenue BIGINT NOT NULL,
    total_revenue BIGINT NOT NULL,
    PRIMARY KEY (period, start_date, video_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX period_rollup_views_ix ON period_rollup (period, start_date, view_count DESC, video_id);
CREATE INDEX period_rollup_time_ix ON period_rollup (period, start_date, total_play_time DESC, video_id);
