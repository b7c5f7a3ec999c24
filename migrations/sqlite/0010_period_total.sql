-- What a settled day, and the weeks and months so far, come to over all videos: written when the
-- day's execution completes, so that a report reads one row. Of
-- days that were settled before this table was there a report sums the rows.
CREATE TABLE period_total (
    period VARCHAR(5) NOT NULL,
    start_date DATE NOT NULL,
    video_count BIGINT NOT NULL,
    view_count BIGINT NOT NULL,
    total_play_time BIGINT NOT NULL,
    ad_view_count BIGINT NOT NULL,
    view_revenue BIGINT NOT NULL,
    ad_revenue BIGINT NOT NULL,
    total_revenue BIGINT NOT NULL,
    PRIMARY KEY (period, start_date)
) WITHOUT ROWID;
