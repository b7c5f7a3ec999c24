-- What a settled day, and the weeks and months so far, come to over all videos: written when the
-- day's execution completes, so that a report reads one row.
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
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Days that were settled before this table was there.
INSERT INTO period_total (period, start_date, video_count, view_count, total_play_time,
    ad_view_count, view_revenue, ad_revenue, total_revenue)
SELECT 'day', s.date, COUNT(*), SUM(s.view_count), SUM(s.total_play_time), SUM(s.ad_view_count),
    COALESCE(SUM(r.view_revenue), 0), COALESCE(SUM(r.ad_revenue), 0),
    COALESCE(SUM(r.total_revenue), 0)
FROM video_statistics s
LEFT JOIN video_revenue r ON r.video_id = s.video_id AND r.date = s.date
WHERE EXISTS (SELECT 1 FROM job_date_instance d
    JOIN BATCH_JOB_EXECUTION e ON e.JOB_INSTANCE_ID = d.job_instance_id
    WHERE d.date = s.date AND e.STATUS = 'COMPLETED')
GROUP BY s.date;

INSERT INTO period_total (period, start_date, video_count, view_count, total_play_time,
    ad_view_count, view_revenue, ad_revenue, total_revenue)
SELECT p.period, p.start_date, COUNT(*), SUM(p.view_count), SUM(p.total_play_time),
    SUM(p.ad_view_count), SUM(p.view_revenue), SUM(p.ad_revenue), SUM(p.total_revenue)
FROM period_rollup p
GROUP BY p.period, p.start_date;
