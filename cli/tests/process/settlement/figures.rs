//! The results of a real log.

use crate::{
    env::{TestEnv, variable_or_skip},
    plays::assert_all_complete,
    rows::assert_same,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Mutex};

const DAYS: usize = 15;

pub(crate) fn log() -> Option<String> {
    variable_or_skip(
        "TEST_WATCH_LOG",
        "the results of the real log (watch_log.csv)",
    )
}

fn duplicates() -> Option<String> {
    variable_or_skip(
        "TEST_DUPLICATE_DELIVERIES",
        "the duplicate deliveries (duplicate_deliveries.csv)",
    )
}

fn imported(log: &str) -> TestEnv {
    let env = TestEnv::new();
    let outcome = env
        .balance(&["import", "--ads", "1", log])
        .run()
        .succeeded();
    let counts = "33,118 read = 33,118 new + 0 already there + 0 repeats";
    assert!(outcome.stdout.contains(counts), "{outcome:#?}");
    let counted = "33,118 counted, 0 own; 50 ad views";
    assert!(outcome.stdout.contains(counted), "{outcome:#?}");
    env
}

pub(crate) fn settled(log: &str) -> TestEnv {
    let env = imported(log);
    env.balance(&["settle"]).run().succeeded();
    env
}

fn json(env: &TestEnv, args: &[&str]) -> Value {
    env.balance(args).run().succeeded().json()
}

/// Returns the top five of a report: video and ranked value.
fn top(env: &TestEnv, date: &str, period: &str, by: &str, field: &str) -> Vec<(i64, i64)> {
    let report = json(
        env,
        &[
            "report", "top5", "--json", "--date", date, "--period", period, "--by", by,
        ],
    );
    let items = report["items"].as_array().expect("items").iter();
    items
        .map(|item| {
            (
                item["videoId"].as_i64().unwrap(),
                item[field].as_i64().unwrap(),
            )
        })
        .collect()
}

fn total(env: &TestEnv, date: &str, period: &str) -> Value {
    let args = [
        "report", "revenue", "--json", "--date", date, "--period", period,
    ];
    json(env, &args)["total"].take()
}

#[test]
fn a_second_import_adds_nothing() {
    let (Some(log), Some(duplicates)) = (log(), duplicates()) else {
        return;
    };
    let env = imported(&log);
    // The import itself is recorded.
    let everything = || {
        let mut rows = env.everything();
        rows.retain(|row| {
            let (table, _) = row.split_once('|').unwrap();
            !["audit", "next_id", "play_import"].contains(&table)
        });
        rows
    };
    let before = everything();
    let again = |args: &[&str], stdin: Option<&str>, counts: &str| {
        let mut call = env.balance(args);
        if let Some(path) = stdin {
            call = call.stdin(path);
        }
        let outcome = call.run().succeeded();
        assert!(outcome.stdout.contains(counts), "{outcome:#?}");
        assert_same(&everything(), &before, counts);
    };
    let known = "33,118 read = 0 new + 33,118 already there + 0 repeats";
    again(&["import", "--ads", "1", &log], None, known);
    again(&["import", "-"], Some(&log), known);
    let known = "116 read = 0 new + 116 already there + 0 repeats";
    again(&["import", &duplicates], None, known);
}

#[test]
fn files_of_one_call_are_merged_in_any_order() {
    let (Some(log), Some(duplicates)) = (log(), duplicates()) else {
        return;
    };
    let content = |env: &TestEnv| {
        let mut rows = env.rows(
            "SELECT date, hex(event_id), video_id, user_id, occurred_at_micros, counted, \
             play_time, reported_time FROM play_history ORDER BY 1, 2",
        );
        rows.extend(env.rows("SELECT * FROM ad_history ORDER BY 1, 2, 3, 4"));
        rows.extend(env.rows("SELECT id, owner_id, title, duration_s FROM video ORDER BY 1"));
        rows.extend(env.rows("SELECT id, username, role FROM users ORDER BY 1"));
        rows
    };
    let expected = content(&imported(&log));
    for files in [[&log, &duplicates], [&duplicates, &log]] {
        let env = TestEnv::new();
        let outcome = env
            .balance(&["import", "--ads", "1", files[0], files[1]])
            .run()
            .succeeded();
        let counts = "33,234 read = 33,118 new + 116 already there + 0 repeats";
        assert!(outcome.stdout.contains(counts), "{outcome:#?}");
        assert_same(&content(&env), &expected, "the rows of two files");
    }
    let env = TestEnv::new();
    let outcome = env
        .balance(&["import", "--ads", "1", "-"])
        .stdin(&log)
        .run()
        .succeeded();
    assert!(outcome.stdout.contains("33,118 read = 33,118 new"));
    assert_same(&content(&env), &expected, "the rows from standard input");
}

#[test]
fn the_log_has_its_known_results() {
    let Some(log) = log() else { return };
    let env = settled(&log);
    assert_all_complete(&env, DAYS);
    let days = env.rows(
        "SELECT date, SUM(view_count), SUM(total_play_time), SUM(ad_view_count), COUNT(*) \
         FROM video_statistics GROUP BY date ORDER BY date",
    );
    assert_eq!(days.len(), DAYS);
    assert!(days[0].starts_with("2022-04-08|2151|"), "{}", days[0]);
    assert_eq!(days[8], "2022-04-16|3603|79709|3|1457");
    assert!(days[14].starts_with("2022-04-22|66|"), "{}", days[14]);
    assert_eq!(sums(&env), SUMS);
    let month = total(&env, "2022-04-30", "month");
    for (field, expected) in [
        ("viewCount", Value::from(33_118)),
        ("totalPlayTime", Value::from(791_900)),
        ("adViewCount", Value::from(50)),
        ("viewRevenue", Value::from("33118.00")),
        ("adRevenue", Value::from("500.00")),
        ("totalRevenue", Value::from("33618.00")),
    ] {
        assert_eq!(month[field], expected, "{field} of {month}");
    }
    let day = total(&env, "2022-04-16", "day");
    assert_eq!(day["videoCount"], 1_457);
    assert_eq!(day["viewCount"], 3_603);
    assert_eq!(day["totalPlayTime"], 79_709);
    assert_eq!(day["adViewCount"], 3);
    assert_eq!(total(&env, "2022-04-17", "week")["adViewCount"], 29);
    tops(&env);
    csv_is_json(&env);
    a_settled_day_stays(&env);
}

const SUMS: &str = "14212|33118|791900|50|3311800|50000|3361800";

fn sums(env: &TestEnv) -> String {
    env.value(
        "SELECT COUNT(*), SUM(s.view_count), SUM(s.total_play_time), SUM(s.ad_view_count), \
         SUM(r.view_revenue), SUM(r.ad_revenue), SUM(r.total_revenue) \
         FROM video_statistics s JOIN video_revenue r USING (video_id, date)",
    )
}

fn tops(env: &TestEnv) {
    assert_eq!(
        top(env, "2022-04-01", "month", "view-count", "viewCount"),
        [
            (3_381_812, 101),
            (3_199_380, 84),
            (2_303, 75),
            (983_316, 68),
            (754_398, 66)
        ]
    );
    assert_eq!(
        top(env, "2022-04-16", "month", "play-time", "totalPlayTime"),
        [
            (1_259_185, 5_989),
            (3_381_812, 4_077),
            (3_506_207, 4_041),
            (2_529_873, 4_019),
            (1_480_173, 3_989)
        ]
    );
    // The last two have equal views: the smaller ID is first.
    assert_eq!(
        top(env, "2022-04-11", "week", "view-count", "viewCount"),
        [
            (3_381_812, 98),
            (2_303, 74),
            (754_398, 65),
            (1_953_915, 53),
            (2_944_312, 53)
        ]
    );
}

/// Asserts that the CSV pages of the revenue report sum up to the total.
fn csv_is_json(env: &TestEnv) {
    let (mut after, mut videos, mut hundredths) = (0, 0, 0);
    loop {
        let after_text = after.to_string();
        let outcome = env
            .balance(&[
                "report",
                "revenue",
                "--csv",
                "--date",
                "2022-04-16",
                "--period",
                "month",
                "--limit",
                "1000",
                "--after",
                &after_text,
            ])
            .run()
            .succeeded();
        let mut csv = csv::Reader::from_reader(outcome.stdout.as_bytes());
        let rows: Vec<BTreeMap<String, String>> = csv.deserialize().map(Result::unwrap).collect();
        for row in &rows {
            after = row["video_id"].parse().unwrap();
            let amount: i64 = row["total_revenue"].replace('.', "").parse().unwrap();
            hundredths += amount;
        }
        videos += rows.len();
        if rows.len() < 1_000 {
            break;
        }
    }
    assert_eq!((videos, hundredths), (7_689, 3_361_800));
}

fn a_settled_day_stays(env: &TestEnv) {
    let before = env.everything();
    env.balance(&["settle", "--date", "2022-04-16"])
        .run()
        .failed(&["JobInstanceAlreadyComplete", "2022-04-16"]);
    let outcome = env.balance(&["settle"]).run().succeeded();
    assert!(outcome.stdout.contains("nothing to settle"), "{outcome:#?}");
    env.balance(&["settle", "--from", "2022-04-08", "--to", "2022-04-22"])
        .run()
        .succeeded();
    assert_same(&env.everything(), &before, "a second settlement");
}

#[test]
fn in_utc_the_same_sums_fall_on_other_days() {
    let Some(log) = log() else { return };
    let env = TestEnv::empty();
    for args in [&["import", "--ads", "1", &log][..], &["settle"]] {
        let call = env.balance(args).env("BUSINESS_TIMEZONE", "UTC");
        call.run().succeeded();
    }
    let text = std::fs::read_to_string(&log).unwrap();
    let mut plays: BTreeMap<&str, u32> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let started_at = line.split(',').nth(3).unwrap();
        *plays.entry(&started_at[..10]).or_default() += 1;
    }
    assert_all_complete(&env, plays.len());
    let expected: Vec<String> = plays.iter().map(|(day, n)| format!("{day}|{n}")).collect();
    let days =
        env.rows("SELECT date, SUM(view_count) FROM video_statistics GROUP BY date ORDER BY date");
    assert_eq!(days, expected);
    let (_, sums_without_rows) = SUMS.split_once('|').unwrap();
    assert!(sums(&env).ends_with(&format!("|{sums_without_rows}")));
}

#[test]
fn the_number_of_partitions_does_not_change_the_rows() {
    let Some(log) = log() else { return };
    let unsettled = imported(&log);
    let all = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        // The smallest and the largest number share a thread, to balance the load.
        for counts in [[1, 64], [2, 7]] {
            let (all, unsettled) = (&all, &unsettled);
            scope.spawn(move || {
                for partitions in counts {
                    let env = unsettled.copy();
                    let call = env.balance(&["settle"]).env("PARTITIONS", partitions);
                    call.env("WORKER_CONCURRENCY", partitions.min(3))
                        .run()
                        .succeeded();
                    assert_all_complete(&env, DAYS);
                    all.lock().unwrap().insert(partitions, env.results());
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    assert_eq!(all.len(), 4);
    for (partitions, rows) in &all {
        assert_same(
            rows,
            &all[&1],
            &format!("the rows of {partitions} partitions"),
        );
    }
}
