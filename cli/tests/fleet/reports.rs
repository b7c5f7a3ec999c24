//! Reports over many rows: each request reads a bounded number of rows, by the server's counters.

use crate::{env::TestEnv, playback::service as playback};
use balance_test_support::{
    day_job::RESULT_TABLES,
    http::Client,
    process::{block_on, variable},
    servers::Servers,
};
use std::rc::Rc;

/// The number of days with statistics: a month.
const DAYS: u64 = 31;
/// The number of creators, who own the videos in turn.
const CREATORS: u64 = 100;
/// The final number of videos, each with a row on each day; `TEST_REPORT_VIDEOS` overrides it.
const VIDEOS: u64 = 10_000;
/// The number of videos for each statement, within a statement's time limit.
const STEP: usize = 10_000;
/// The most rows that a request for a page of 20 may read: several for each item of each period, and
/// those of the account and of the settled days.
const BOUND: u64 = 600;

/// Inserts the results of January 2026 for a range of videos: statistics, revenue, weeks, months and
/// totals.
fn fill(env: &TestEnv, from: u64, to: u64) {
    let videos = format!("seq_{from}_to_{to}");
    let days = format!("seq_0_to_{}", DAYS - 1);
    let sums = "SUM(view_count), SUM(total_play_time), SUM(ad_view_count), SUM(view_count) * 100, \
         SUM(ad_view_count) * 1000, SUM(view_count) * 100 + SUM(ad_view_count) * 1000";
    let these = format!("video_id BETWEEN {from} AND {to}");
    for statement in [
        format!(
            "INSERT INTO video (id, owner_id, title, duration_s, created_at) SELECT seq, 9000000000 + seq % {CREATORS}, CONCAT('film ', seq), \
             600, '2026-01-01 00:00:00' FROM {videos}"
        ),
        format!(
            "INSERT INTO video_statistics SELECT v.seq, DATE_ADD('2026-01-01', INTERVAL d.seq DAY), \
             1 + v.seq % 7, 100 + v.seq % 11, 1, 1, 1 FROM {videos} v, {days} d"
        ),
        format!(
            "INSERT INTO video_revenue SELECT video_id, date, view_count * 100, 1000, \
             view_count * 100 + 1000 FROM video_statistics WHERE {these}"
        ),
        format!(
            "INSERT INTO period_rollup SELECT 'month', '2026-01-01', video_id, {sums} \
             FROM video_statistics WHERE {these} GROUP BY video_id"
        ),
        format!(
            "INSERT INTO period_rollup SELECT 'week', \
             DATE_SUB(date, INTERVAL WEEKDAY(date) DAY) AS monday, video_id, {sums} \
             FROM video_statistics WHERE {these} GROUP BY video_id, monday"
        ),
        format!(
            "REPLACE INTO period_total SELECT 'day', date, COUNT(*), {sums} \
             FROM video_statistics GROUP BY date"
        ),
        format!(
            "REPLACE INTO period_total SELECT period, start_date, COUNT(*), {sums} \
             FROM period_rollup GROUP BY period, start_date"
        ),
    ] {
        env.database.execute(&statement);
    }
    env.database
        .execute("UPDATE closed_through SET date = '2026-01-31'");
    // Updates the index statistics. Otherwise a query plan may be that of an empty table.
    for table in ["video"]
        .into_iter()
        .chain(RESULT_TABLES.map(|(table, _)| table))
    {
        env.database.execute(&format!("ANALYZE TABLE {table}"));
    }
}

/// Returns the number of rows that the server has read from the tables.
fn rows_read(env: &TestEnv) -> u64 {
    let sum = env.database.value(
        "SELECT COALESCE(CAST(SUM(ROWS_READ) AS SIGNED), 0) FROM information_schema.TABLE_STATISTICS \
         WHERE TABLE_SCHEMA = DATABASE()",
    );
    sum.parse().unwrap()
}

/// Returns the number of rows that each request reads.
fn reads(env: &TestEnv, client: &Client, users: &[(&str, &str)]) -> Vec<(String, u64)> {
    let mut reads = Vec::new();
    for (name, token) in users {
        for path in [
            "/revenues?date=2026-01-15",
            "/revenues?date=2026-01-15&period=day",
            "/revenues?date=2026-01-15&period=week",
            "/revenues?date=2026-01-15&period=month",
            "/top5/view-count?date=2026-01-15",
            "/top5/play-time?date=2026-01-15",
            "/videos/1/statistics?from=2026-01-01&to=2026-12-31",
        ] {
            // The first request fills the caches.
            let first = block_on(client.request("GET", path, token));
            assert_eq!(first.status, 200, "{name} {path}: {first:?}");
            let before = rows_read(env);
            block_on(client.request("GET", path, token)).is(200);
            reads.push((format!("{name} {path}"), rows_read(env) - before));
        }
    }
    reads
}

#[test]
fn a_report_reads_few_rows_however_many_there_are() {
    let videos = variable("TEST_REPORT_VIDEOS").map_or(VIDEOS, |videos| videos.parse().unwrap());
    let servers = Servers::shared();
    let env = TestEnv::new(&servers)
        .with("JWT_SECRET", playback::SECRET)
        .with("BUSINESS_TIMEZONE", "Asia/Seoul");
    // Starts the counters of each table.
    env.database.execute("SET GLOBAL userstat = 1");
    let env = Rc::new(env);
    let server = playback::api(&env);
    let client = server.client();
    block_on(client.user("boss"));
    env.balance(&["admin", "grant", "boss"]).run().succeeded();
    let boss = block_on(client.login("boss"));
    let (minsu_id, minsu) = block_on(client.user("minsu"));
    let few = videos / 10;
    fill(&env, 1, few);
    // minsu owns ten videos.
    let own = "UPDATE video SET owner_id = ";
    env.database
        .execute(&format!("{own}{minsu_id} WHERE id <= 10"));
    let users = [("boss", boss.as_str()), ("minsu", minsu.as_str())];
    let of_few = reads(&env, &client, &users);
    for from in (few + 1..=videos).step_by(STEP) {
        fill(&env, from, videos.min(from + STEP as u64 - 1));
    }
    let of_many = reads(&env, &client, &users);
    for ((request, few), (_, many)) in of_few.iter().zip(&of_many) {
        eprintln!(
            "{request}: {few} rows read of {}, {many} of {videos} videos",
            videos / 10
        );
        assert!(*many <= BOUND, "{request}: {many} rows");
        // The number of rows does not grow with the number of videos.
        assert!(*many <= few + BOUND / 10, "{request}: {few}, then {many}");
    }
    server.end().succeeded();
}
