-- Rows for the test of query plans. The table n has 3,000 rows: a number, a date before the days of the
-- test, a time, and bytes. The statements run on every database.

INSERT INTO job_date (job_name, date)
    SELECT 'dayStatisticsJob', date FROM n;
INSERT INTO BATCH_JOB_INSTANCE (JOB_INSTANCE_ID, VERSION, JOB_NAME, JOB_KEY)
    SELECT 100000 + i, 0, 'dayStatisticsJob', 'key' || i FROM n;
INSERT INTO job_date_instance (job_instance_id, job_name, date, run_id)
    SELECT 100000 + i, 'dayStatisticsJob', date, 0 FROM n;
INSERT INTO BATCH_JOB_EXECUTION (JOB_EXECUTION_ID, VERSION, JOB_INSTANCE_ID, CREATE_TIME, START_TIME,
    END_TIME, STATUS, EXIT_CODE, EXIT_MESSAGE, LAST_UPDATED)
    SELECT 100000 + i, 2, 100000 + i, at, at, at, 'COMPLETED', 'COMPLETED', '', at FROM n;
INSERT INTO job_execution_launch (job_execution_id)
    SELECT 100000 + i FROM n;
INSERT INTO BATCH_JOB_EXECUTION_PARAMS (JOB_EXECUTION_ID, PARAMETER_NAME, PARAMETER_TYPE,
    PARAMETER_VALUE, IDENTIFYING)
    SELECT 100000 + i, 'date', 'java.time.LocalDate', '2020-01-01', 'Y' FROM n;
INSERT INTO BATCH_JOB_EXECUTION_CONTEXT (JOB_EXECUTION_ID, SHORT_CONTEXT)
    SELECT 100000 + i, '' FROM n;
INSERT INTO BATCH_STEP_EXECUTION (STEP_EXECUTION_ID, VERSION, STEP_NAME, JOB_EXECUTION_ID, CREATE_TIME,
    STATUS, EXIT_CODE)
    SELECT 1000000 + a.i * 16 + b.i, 3, 'dayStatisticsStep:partition' || b.i, 100000 + a.i, a.at,
        'COMPLETED', 'COMPLETED' FROM n a JOIN n b WHERE a.i > 2800 AND b.i <= 12;
INSERT INTO BATCH_STEP_EXECUTION_CONTEXT (STEP_EXECUTION_ID, SHORT_CONTEXT)
    SELECT STEP_EXECUTION_ID, '' FROM BATCH_STEP_EXECUTION;
INSERT INTO job_execution_trace (job_execution_id, traceparent)
    SELECT 100000 + i, '' FROM n;
INSERT INTO step_lease (step_execution_id, job_execution_id, lease_until_micros)
    SELECT 1000000 + i, 100000 + i, 0 FROM n WHERE i <= 500;
INSERT INTO step_expiry (step_execution_id, cursor_video_id, claim_token)
    SELECT 1000000 + i, 5, i FROM n;
INSERT INTO step_quarantine (step_execution_id, reason)
    SELECT 1000000 + i, '' FROM n;
INSERT INTO rejected_item (job_instance_id, step_name, video_id, date, reason, rejected_at)
    SELECT 100000 + i, 'partitionedDayRevenueStep', 100000 + i, date, '', at FROM n;
INSERT INTO users (id, username, role, created_at)
    SELECT 100000 + i, 'person-' || i, 'USER', at FROM n;
INSERT INTO credential (user_id, password_hash, changed_at)
    SELECT 100000 + i, '', at FROM n;
INSERT INTO refresh_token (token_hash, family, user_id, expires_micros)
    SELECT b32, b16, 100000 + i, 9000000000000000 FROM n;
INSERT INTO creation_reply (user_id, idempotency_key, request_hash, created_id, expires_micros)
    SELECT 100000 + i, 'key', b32, i, 9000000000000000 FROM n;
INSERT INTO video (id, owner_id, title, duration_s, created_at)
    SELECT 100000 + i, 100000 + i % 1000, 'film ' || i, 60, at FROM n;
INSERT INTO opening_balance (video_id, view_count, ad_view_count)
    SELECT 100000 + i, 1, 1 FROM n;
INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, counted, play_time,
    reported_time)
    SELECT date, b16, 100000 + i, i, 0, 1, 1, 1 FROM n;
-- A play of a video that is not registered. The settlement of its day skips it.
INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, counted, play_time,
    reported_time)
    SELECT '2024-06-05', b16, 999, 7, 0, 1, 1, 1 FROM n WHERE i = 1;
INSERT INTO ad_history (date, video_id, user_id, slot_s, ad_id)
    SELECT date, 100000 + i, i, 300, 1 FROM n;
INSERT INTO video_statistics (video_id, date, view_count, total_play_time, ad_view_count,
    cumulative_view_count, cumulative_ad_view_count)
    SELECT 100000 + i, date, 1, 1, 1, 1, 1 FROM n;
INSERT INTO video_revenue (video_id, date, view_revenue, ad_revenue, total_revenue)
    SELECT 100000 + i, date, 1, 1, 2 FROM n;
INSERT INTO period_rollup (period, start_date, video_id, view_count, total_play_time, ad_view_count,
    view_revenue, ad_revenue, total_revenue)
    SELECT 'week', date, 100000 + i, 1, 1, 1, 1, 1, 2 FROM n;
INSERT INTO period_total (period, start_date, video_count, view_count, total_play_time, ad_view_count,
    view_revenue, ad_revenue, total_revenue)
    SELECT 'day', date, 1, 1, 1, 1, 1, 1, 2 FROM n;
INSERT INTO view_gate (user_id, video_id, until_micros)
    SELECT 100000 + i, i, 9000000000000000 FROM n;
INSERT INTO watch_session (user_id, video_id, position_s, since_micros)
    SELECT 100000 + i, i, 0, 9000000000000000 FROM n;
INSERT INTO viewer_budget (user_id, last_micros, credit_tat_micros, view_tat_micros, open_sessions)
    SELECT 100000 + i, 9000000000000000, 0, 0, '' FROM n;
INSERT INTO intake_reply (user_id, idempotency_key, request, answer, expires_micros)
    SELECT 100000 + i, 'key', '', '', 9000000000000000 FROM n;
INSERT INTO refusal_count (date, video_id, reason, count)
    SELECT date, 100000 + i, 'own', 1 FROM n;
INSERT INTO late_event (event_id, date, video_id, user_id, occurred_at_micros, counted, play_time,
    reported_time, received_at)
    SELECT b16, '2024-01-01', 100000 + i, i, 0, 1, 0, 0, at FROM n;
INSERT INTO rejected_event (shard, entry_ms, entry_sequence, event_id, payload, reason, rejected_at)
    SELECT i % 4, i, 0, b16, '', '', at FROM n;
INSERT INTO audit (id, occurred_at, action, subject)
    SELECT b16, at, 'LAUNCH', '' FROM n;
INSERT INTO play_import (id, name, status, ads, ad_interval_s, view_window_s, first_date, last_date,
    play_count, ad_view_count, started_at, ended_at)
    SELECT i - 5000, 'plays.csv', 'COMPLETED', 1, 300, 30, date, date, 1, 1, at, at FROM n;
