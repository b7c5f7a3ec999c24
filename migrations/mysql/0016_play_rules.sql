-- The rules of plays that decide about money, in versions. No version is ever changed or deleted: the
-- history refers to the one that decided each play and pause.

CREATE TABLE play_rules (
    version BIGINT NOT NULL PRIMARY KEY,
    view_window_s BIGINT NOT NULL,
    ad_interval_s BIGINT NOT NULL,
    -- In thousandths; 0 is no maximum.
    max_playback_rate BIGINT NOT NULL,
    set_at DATETIME(6) NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The version that decided the row; 0 for rows that were decided before there were versions.
-- Instant: the server changes the metadata of the table only.
ALTER TABLE play_history ADD COLUMN rules_version INT NOT NULL DEFAULT 0, ALGORITHM = INSTANT;
