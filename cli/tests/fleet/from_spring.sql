-- A database as a Spring Boot application with JPA and Spring Batch makes it. Times are DATETIME in the
-- time zone of the business. The old system has settled 2026-02-27 to 2026-03-01.

CREATE TABLE your_users (
    id BIGINT NOT NULL AUTO_INCREMENT, username VARCHAR(255), password VARCHAR(255), role VARCHAR(255),
    created_at DATETIME(6), PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE your_videos (
    id BIGINT NOT NULL AUTO_INCREMENT, owner_id BIGINT, title VARCHAR(255), duration INTEGER NOT NULL,
    view_count BIGINT, ad_view_count BIGINT, created_at DATETIME(6), PRIMARY KEY (id),
    CONSTRAINT FK_video_owner FOREIGN KEY (owner_id) REFERENCES your_users (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE your_history (
    id BIGINT NOT NULL AUTO_INCREMENT, user_id BIGINT NOT NULL, video_id BIGINT NOT NULL, play_time INTEGER,
    last_position INTEGER, created_at DATETIME(6) NOT NULL, updated_at DATETIME(6), PRIMARY KEY (id),
    CONSTRAINT FK_history_user FOREIGN KEY (user_id) REFERENCES your_users (id),
    CONSTRAINT FK_history_video FOREIGN KEY (video_id) REFERENCES your_videos (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE your_ads (
    id BIGINT NOT NULL AUTO_INCREMENT, title VARCHAR(255), PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE your_statistics (
    id BIGINT NOT NULL AUTO_INCREMENT, video_id BIGINT NOT NULL, date DATE NOT NULL, view_count BIGINT,
    ad_view_count BIGINT, play_time BIGINT, PRIMARY KEY (id),
    CONSTRAINT FK_statistics_video FOREIGN KEY (video_id) REFERENCES your_videos (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE your_revenue (
    id BIGINT NOT NULL AUTO_INCREMENT, video_id BIGINT NOT NULL, date DATE NOT NULL,
    view_revenue DECIMAL(19, 2), ad_revenue DECIMAL(19, 2), PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE BATCH_JOB_INSTANCE (
    JOB_INSTANCE_ID BIGINT NOT NULL PRIMARY KEY, VERSION BIGINT, JOB_NAME VARCHAR(100) NOT NULL,
    JOB_KEY VARCHAR(32) NOT NULL, CONSTRAINT JOB_INST_UN UNIQUE (JOB_NAME, JOB_KEY)
) ENGINE = InnoDB;
CREATE TABLE BATCH_JOB_SEQ (
    ID BIGINT NOT NULL, UNIQUE_KEY CHAR(1) NOT NULL, CONSTRAINT UNIQUE_KEY_UN UNIQUE (UNIQUE_KEY)
) ENGINE = InnoDB;
INSERT INTO BATCH_JOB_INSTANCE VALUES (1, 0, 'dayStatisticsJob', '86a8c4ee0ad9b94af0ae57a3e3a4a0a4');
INSERT INTO BATCH_JOB_SEQ VALUES (1, '0');

INSERT INTO your_users (id, username, password, role, created_at)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
    SELECT i, CONCAT('사용자, "', i, '"'), '{bcrypt}$2a$10$x', 'ROLE_USER', '2025-01-01' FROM n;
INSERT INTO your_videos (id, owner_id, title, duration, created_at)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)
    SELECT i, 1 + i % 5, CONCAT('영화 "', i, '", 1부\n2부\t끝'), 700, '2025-01-01' FROM n;
INSERT INTO your_ads (title) VALUES ('광고 하나'), ('광고, 둘'), ('광고 "셋"');

-- Video 1 is one view before the second tier. A day of video 2 has NULL. Video 12 has no settled day.
INSERT INTO your_statistics (video_id, date, view_count, ad_view_count, play_time)
    SELECT v.id, d.date, 100 * v.id, 10 * v.id, 1000 FROM your_videos v
    JOIN (SELECT '2026-02-27' AS date UNION SELECT '2026-02-28' UNION SELECT '2026-03-01') d
    WHERE v.id < 12;
UPDATE your_statistics SET view_count = 99799 WHERE video_id = 1 AND date = '2026-02-27';
UPDATE your_statistics SET ad_view_count = 99970 WHERE video_id = 1 AND date = '2026-02-27';
UPDATE your_statistics SET view_count = NULL, ad_view_count = NULL
    WHERE video_id = 2 AND date = '2026-02-28';

-- Plays of a settled day and of two days to move. A play time is NULL if the viewer has not paused.
INSERT INTO your_history (user_id, video_id, play_time, created_at)
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 899)
    SELECT 1 + i % 40, 1 + (i DIV 7) % 12, NULLIF((i * 37) % 701, 37),
        TIMESTAMPADD(MICROSECOND, i * 288000000 + i, '2026-03-01 00:00:00') FROM n;
-- The first and the last instant of a day, two views 30 s apart, and one within 30 s of the second.
INSERT INTO your_history (user_id, video_id, play_time, created_at) VALUES
    (39, 12, 60, '2026-03-02 00:00:00.000000'), (40, 12, 0, '2026-03-02 23:59:59.999999'),
    (38, 11, 700, '2026-03-03 09:00:00.250000'), (38, 11, 300, '2026-03-03 09:00:30.250000'),
    (38, 11, 600, '2026-03-03 09:00:40.000000');
-- The live counters of the old system include the plays of the days to move.
UPDATE your_videos v SET
    view_count = (SELECT SUM(s.view_count) FROM your_statistics s WHERE s.video_id = v.id) + 75,
    ad_view_count = (SELECT SUM(s.ad_view_count) FROM your_statistics s WHERE s.video_id = v.id) + 75;
