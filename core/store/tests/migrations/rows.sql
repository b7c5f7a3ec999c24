-- Rows of a small platform, as the program of each schema version writes them: 2026-03-02 is settled,
-- 2026-03-03 failed, and 2026-03-04 has not begun. The rows of a version go into its tables. The
-- statements run on every database.

-- version 1
INSERT INTO BATCH_JOB_INSTANCE (JOB_INSTANCE_ID, VERSION, JOB_NAME, JOB_KEY) VALUES
    (1, 0, 'dayStatisticsJob', '4a7fbfc530fd3643bf69f62286793dd4'),
    (2, 0, 'dayStatisticsJob', 'a4d81c6ee0e1b89b7dc2b08fb806376d');
INSERT INTO BATCH_JOB_EXECUTION (JOB_EXECUTION_ID, VERSION, JOB_INSTANCE_ID, CREATE_TIME, START_TIME,
    END_TIME, STATUS, EXIT_CODE, EXIT_MESSAGE, LAST_UPDATED) VALUES
    (1, 2, 1, '2026-03-02 15:00:00.000123', '2026-03-02 15:00:00.001', '2026-03-02 15:00:01.5',
        'COMPLETED', 'COMPLETED_WITH_SKIPS', '', '2026-03-02 15:00:01.5'),
    (2, 2, 2, '2026-03-03 15:00:00', '2026-03-03 15:00:00.001', '2026-03-03 15:00:01', 'FAILED',
        'FAILED', 'dayStatisticsStep:partition0: video 2: no such video', '2026-03-03 15:00:01');
INSERT INTO BATCH_JOB_EXECUTION_PARAMS (JOB_EXECUTION_ID, PARAMETER_NAME, PARAMETER_TYPE, PARAMETER_VALUE,
    IDENTIFYING) VALUES
    (1, 'date', 'java.time.LocalDate', '2026-03-02', 'Y'),
    (2, 'date', 'java.time.LocalDate', '2026-03-03', 'Y');
INSERT INTO BATCH_JOB_EXECUTION_CONTEXT (JOB_EXECUTION_ID, SHORT_CONTEXT, SERIALIZED_CONTEXT) VALUES
    (1, 'rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAB3CAAAABAAAAAAeA==', NULL),
    (2, 'rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAB3CAAAABAAAAAAeA==', NULL);
INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME, JOB_EXECUTION_ID, CREATE_TIME,
    START_TIME, END_TIME, STATUS, COMMIT_COUNT, READ_COUNT, FILTER_COUNT, WRITE_COUNT, READ_SKIP_COUNT,
    WRITE_SKIP_COUNT, PROCESS_SKIP_COUNT, ROLLBACK_COUNT, EXIT_CODE, EXIT_MESSAGE, LAST_UPDATED) VALUES
    (1, 2, 'closeDayStep', 2, '2026-03-03 15:00:00.001', '2026-03-03 15:00:00.002',
        '2026-03-03 15:00:00.003', 'COMPLETED', 0, 0, 0, 0, 0, 0, 0, 0, 'COMPLETED', '',
        '2026-03-03 15:00:00.003'),
    (2, 1, 'partitionedDayStatisticsStep', 2, '2026-03-03 15:00:00.004', '2026-03-03 15:00:00.004',
        '2026-03-03 15:00:01', 'FAILED', 0, 2, 0, 0, 0, 0, 0, 1, 'FAILED',
        'dayStatisticsStep:partition0: video 2: no such video', '2026-03-03 15:00:01'),
    (3, 3, 'dayStatisticsStep:partition0', 2, '2026-03-03 15:00:00.004', '2026-03-03 15:00:00.005',
        '2026-03-03 15:00:01', 'FAILED', 0, 2, 0, 0, 0, 0, 0, 1, 'FAILED', 'video 2: no such video',
        '2026-03-03 15:00:01');
INSERT INTO BATCH_STEP_EXECUTION_CONTEXT (STEP_EXECUTION_ID, SHORT_CONTEXT, SERIALIZED_CONTEXT) VALUES
    (1, 'rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAB3CAAAABAAAAAAeA==', NULL),
    (2, 'rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAABdAAlU2ltcGxlU3RlcEV4ZWN1dGlvblNwbGl0dGVyLkdSSURfU0laRXNyAA5qYXZhLmxhbmcuTG9uZzuL5JDMjyPfAgABSgAFdmFsdWV4cgAQamF2YS5sYW5nLk51bWJlcoaslR0LlOCLAgAAeHAAAAAAAAAABHg=', NULL),
    (3, 'rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwACRgAKbG9hZEZhY3RvckkACXRocmVzaG9sZHhwP0AAAAAAAAx3CAAAABAAAAADdAAMYWZ0ZXJWaWRlb0lkc3IADmphdmEubGFuZy5Mb25nO4vkkMyPI98CAAFKAAV2YWx1ZXhyABBqYXZhLmxhbmcuTnVtYmVyhqyVHQuU4IsCAAB4cIAAAAAAAAAAdAANY3Vyc29yVmlkZW9JZHNyAA5qYXZhLmxhbmcuTG9uZzuL5JDMjyPfAgABSgAFdmFsdWV4cgAQamF2YS5sYW5nLk51bWJlcoaslR0LlOCLAgAAeHAAAAAAAAAAEXQAC3VwdG9WaWRlb0lkc3IADmphdmEubGFuZy5Mb25nO4vkkMyPI98CAAFKAAV2YWx1ZXhyABBqYXZhLmxhbmcuTnVtYmVyhqyVHQuU4IsCAAB4cAAAAAAAAAAReA==', NULL);

-- version 2
INSERT INTO job_date (job_name, date) VALUES ('dayStatisticsJob', '2026-03-02'),
    ('dayStatisticsJob', '2026-03-03');
INSERT INTO job_date_instance (job_instance_id, job_name, date, run_id) VALUES
    (1, 'dayStatisticsJob', '2026-03-02', 0), (2, 'dayStatisticsJob', '2026-03-03', 0);
-- Of another execution: no execution that has ended has leases.
INSERT INTO step_lease (step_execution_id, job_execution_id, claim_token, worker, lease_until_micros) VALUES
    (9, 3, -7937420804958004749, 'host-1-0a', 1772546400000000);
INSERT INTO step_expiry (step_execution_id, cursor_video_id, claim_token) VALUES
    (3, -9223372036854775808, 1424272088348582503);
INSERT INTO step_quarantine (step_execution_id, reason) VALUES (3, 'quarantined: its workers crashed 3 times');
INSERT INTO rejected_item (job_instance_id, step_name, video_id, date, reason, rejected_at) VALUES
    (1, 'partitionedDayStatisticsStep', 12, '2026-03-02', 'negative seconds in the history: -7',
        '2026-03-02 15:00:01.25');

-- version 3
INSERT INTO setting (name, value) VALUES ('business_timezone', 'Asia/Seoul'), ('intake_shards', '1');
INSERT INTO users (id, username, role, created_at) VALUES
    (1, 'boss', 'ADMIN', '2026-03-01 00:00:00.000001'), (2, 'minsu', 'USER', '2026-03-01 01:00:00');
INSERT INTO video (id, owner_id, title, duration_s, created_at) VALUES
    (1, 2, '영화 "하나"', 600, '2026-03-01 02:00:00.5');
INSERT INTO opening_balance (video_id, view_count, ad_view_count) VALUES (1, 99999, 7);
INSERT INTO ad (id, title, created_at) VALUES (1, 'ad', '2026-03-01 02:00:00');
INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, counted, play_time,
    reported_time) VALUES
    ('2026-03-02', X'019CAC7D0380700080000000000000AF', 1, 1, 1772420400000000, 1, 301, 301),
    ('2026-03-02', X'019CACB3F200700080000000000000FF', 1, 1, 1772424000000000, 1, 20, 20),
    ('2026-03-03', X'019CB1A35F80700080000000000000AF', 2, 1, 1772506800000000, 1, 40, 45),
    ('2026-03-04', X'019CB6C9BB80700080000000000000AF', 1, 1, 1772593200000000, 1, 60, 60);
INSERT INTO ad_history (date, video_id, user_id, slot_s, ad_id) VALUES ('2026-03-02', 1, 1, 300, 1);
UPDATE closed_through SET date = '2026-03-03' WHERE id = 1;
INSERT INTO revenue_rate (effective_from, kind, from_count, to_count, rate_micro_won) VALUES
    ('2026-03-03', 'VIDEO', 0, NULL, 333333), ('2026-03-03', 'AD', 0, 9, 7770000),
    ('2026-03-03', 'AD', 10, NULL, 11000000);
INSERT INTO video_statistics (video_id, date, view_count, total_play_time, ad_view_count,
    cumulative_view_count, cumulative_ad_view_count) VALUES (1, '2026-03-02', 2, 321, 1, 100001, 8);
INSERT INTO video_revenue (video_id, date, view_revenue, ad_revenue, total_revenue) VALUES
    (1, '2026-03-02', 210, 1000, 1210);
INSERT INTO period_rollup (period, start_date, video_id, view_count, total_play_time, ad_view_count,
    view_revenue, ad_revenue, total_revenue) VALUES
    ('week', '2026-03-02', 1, 2, 321, 1, 210, 1000, 1210),
    ('month', '2026-03-01', 1, 2, 321, 1, 210, 1000, 1210);

-- version 4
INSERT INTO worker (name, host, process_id, version, concurrency, started_at_micros, last_seen_micros,
    alive_until_micros) VALUES
    ('host-1-0a', 'host', 1, '0.1.0', 2, 1772546300000000, 1772546395000000, 1772546410000000);

-- version 6
UPDATE intake_clock SET last_micros = 1772593200000000 WHERE id = 1;
INSERT INTO view_gate (user_id, video_id, until_micros) VALUES (1, 1, 1772593230000000);
INSERT INTO watch_session (user_id, video_id, position_s, since_micros, is_open) VALUES
    (1, 1, 420, 1772593200000000, 1);
INSERT INTO intake_reply (user_id, idempotency_key, request, answer, expires_micros) VALUES
    (1, 'play-1', 'play 1', 'playing 0 1', 9000000000000000);
INSERT INTO refusal_count (date, video_id, reason, count) VALUES ('2026-03-02', 1, 'own', 3),
    ('2026-03-02', 1, 'capped', 415);

-- version 7
INSERT INTO late_event (event_id, date, video_id, user_id, occurred_at_micros, counted, play_time,
    reported_time, received_at) VALUES
    (X'019CAC7D0380700080000000000000FE', '2026-03-02', 1, 2, 1772420400000000, 1, 0, 0,
        '2026-03-02 16:00:00.000002');
INSERT INTO rejected_event (shard, entry_ms, entry_sequence, event_id, payload, reason, rejected_at) VALUES
    (0, 1772420400000, 3, NULL, '{"kind": "stop"}', 'it has no id', '2026-03-02 05:00:00');

-- version 8
UPDATE next_id SET id = 3 WHERE name = 'users';
INSERT INTO credential (user_id, password_hash, changed_at) VALUES
    (2, '$argon2id$v=19$m=19456,t=2,p=1$EXsCUzC8Lr67AhWVtS0u8g$ok1Jjzh/fKyq4Nl3LcSMkPEZG7Ib9eiQY0N+K4lQ4ME',
        '2026-03-01 01:00:00');
INSERT INTO refresh_token (token_hash, family, user_id, expires_micros, used_micros) VALUES
    (X'0101010101010101010101010101010101010101010101010101010101010101',
        X'BB0D2B927367C15433C4ABDD9DB01D69', 2, 9000000000000000, NULL);
INSERT INTO creation_reply (user_id, idempotency_key, request_hash, created_id, expires_micros) VALUES
    (2, 'film-1', X'6935776BDE0823802F249355DA30F050701C7280E1E62899894E2C219D3F3650', 1, 9000000000000000);

-- version 9
INSERT INTO audit (id, occurred_at, user_id, action, subject, request_id) VALUES
    (X'019CAF103180700080000000000000A1', '2026-03-02 15:00:00', NULL, 'LAUNCH', 'execution 1 of 2026-03-02', NULL),
    (X'019CB4368D80700080000000000000A1', '2026-03-03 15:00:00', 1, 'LAUNCH', 'execution 2 of 2026-03-03', 'request-7');

-- version 10
INSERT INTO period_total (period, start_date, video_count, view_count, total_play_time, ad_view_count,
    view_revenue, ad_revenue, total_revenue) VALUES
    ('day', '2026-03-02', 1, 2, 321, 1, 210, 1000, 1210),
    ('week', '2026-03-02', 1, 2, 321, 1, 210, 1000, 1210),
    ('month', '2026-03-01', 1, 2, 321, 1, 210, 1000, 1210);

-- version 12
INSERT INTO job_execution_trace (job_execution_id, traceparent) VALUES
    (1, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');

-- version 13
INSERT INTO job_execution_launch (job_execution_id)
    SELECT JOB_EXECUTION_ID FROM BATCH_JOB_EXECUTION;

-- version 15
UPDATE next_id SET id = 3 WHERE name = 'play_import';
INSERT INTO play_import (id, name, status, ads, ad_interval_s, view_window_s, first_date, last_date,
    play_count, ad_view_count, started_at, ended_at) VALUES
    (1, 'a.csv, b.csv', 'COMPLETED', 2, 300, 30, '2026-03-04', '2026-03-04', 1, 0,
        '2026-03-04 05:00:00', '2026-03-04 05:00:01.5'),
    (2, 'c.csv', 'UNDONE', 0, 300, 30, NULL, NULL, 0, 0, '2026-03-04 06:00:00', '2026-03-04 06:00:01');
UPDATE play_history SET import_id = 1 WHERE date = '2026-03-04';
UPDATE video SET import_id = 1 WHERE id = 1;

-- version 16
INSERT INTO play_rules (version, view_window_s, ad_interval_s, max_playback_rate, set_at) VALUES
    (1, 30, 300, 2000, '2026-03-04 05:30:00'),
    (2, 60, 300, 1500, '2026-03-04 07:00:00.25');
UPDATE play_history SET rules_version = 1 WHERE date = '2026-03-04';

-- version 17
INSERT INTO refusal_count (date, video_id, reason, count, shard) VALUES ('2026-03-02', 1, 'own', 2, 0),
    ('2026-03-02', 1, 'own', 4, 1);

-- version 19
UPDATE intake_clock SET offset_micros = -7000000 WHERE id = 1;

-- version 20
UPDATE play_rules SET credit_burst_s = 5, max_unconfirmed_s = 14400, min_watch_s = 30, views_per_minute = 30, view_burst = 60,
    videos_per_hour = 60, video_burst = 100 WHERE version = 2;
INSERT INTO viewer_budget (user_id, last_micros, credit_tat_micros, view_tat_micros, ad_stock_s,
    open_sessions) VALUES (7, 1772442000000000, 1772442000500000, 1772442002000000, NULL,
        '1:1772442000000000:1772442000500000:0:-1');
UPDATE users SET video_tat_micros = 1772442060000000 WHERE id = 1;
UPDATE play_history SET new_account = 1 WHERE date = '2026-03-04';
