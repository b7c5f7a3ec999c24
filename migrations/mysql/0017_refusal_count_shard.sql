-- Every shard of the intake counts the suppressed plays of a video. The count of the video is the sum.
-- -1 are counts of the layout by video, which kept a video on one shard: those stored before this
-- version, those still in Redis, and those of an older worker, which does not name the column.
ALTER TABLE refusal_count
    ADD COLUMN shard SMALLINT NOT NULL DEFAULT -1,
    DROP PRIMARY KEY,
    ADD PRIMARY KEY (date, video_id, reason, shard);
