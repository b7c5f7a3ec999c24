-- Every shard of the intake counts the suppressed plays of a video. The count of the video is the sum.
-- -1 are the counts stored before this version. SQLite cannot change a primary key.
CREATE TABLE refusal_count_by_shard (
    date DATE NOT NULL,
    video_id BIGINT NOT NULL,
    reason VARCHAR(10) NOT NULL,
    count BIGINT NOT NULL,
    shard SMALLINT NOT NULL DEFAULT -1,
    PRIMARY KEY (date, video_id, reason, shard)
) WITHOUT ROWID;

INSERT INTO refusal_count_by_shard (date, video_id, reason, count)
    SELECT date, video_id, reason, count FROM refusal_count;

DROP TABLE refusal_count;

ALTER TABLE refusal_count_by_shard RENAME TO refusal_count;
