//! Reports over HTTP and of the command line are equal to a recomputation from the history: for a
//! real log and for the demo.

use crate::{
    commands::demo::demo,
    env::{TestEnv, block_on},
    settlement::figures,
};
use balance_test_support::http::{Client, Server};
use serde_json::Value;
use std::{collections::BTreeMap, rc::Rc};

/// The first count beyond each tier except the last.
const TIER_ENDS: [i64; 3] = [100_000, 500_000, 1_000_000];
/// The rates of a view and of an ad view in each tier, in hundredths of a won.
const VIEW_PAY: [i64; 4] = [100, 110, 130, 150];
const AD_PAY: [i64; 4] = [1_000, 1_200, 1_500, 2_000];
const PERIODS: [&str; 3] = ["day", "week", "month"];
/// The size of a page, smaller than the number of videos.
const PAGE: usize = 700;

/// Returns the revenue of `count` views after `before` earlier views, in hundredths of a won.
fn pay(mut before: i64, mut count: i64, rates: [i64; 4]) -> i64 {
    let mut sum = 0;
    for (tier, rate) in rates.into_iter().enumerate() {
        let end = TIER_ENDS.get(tier).copied().unwrap_or(i64::MAX);
        let here = count.min((end - before).max(0));
        sum += here * rate;
        before += here;
        count -= here;
    }
    sum
}

/// The sums of a video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    views: i64,
    seconds: i64,
    ad_views: i64,
    view_pay: i64,
    ad_pay: i64,
}

fn numbers<const N: usize>(row: &str) -> [i64; N] {
    let numbers: Vec<i64> = row.split('|').map(|one| one.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// Sums the history of a period by video. The revenue of each day depends on the counts of all days
/// before.
fn recomputed(env: &TestEnv, from: &str, to: &str) -> BTreeMap<i64, Sum> {
    let mut lifetime: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for row in env.rows("SELECT video_id, view_count, ad_view_count FROM opening_balance") {
        let [video, views, ad_views] = numbers(&row);
        lifetime.insert(video, (views, ad_views));
    }
    let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
    let of_days = env.rows(
        "SELECT p.date, p.video_id, p.views, p.seconds, COALESCE(a.views, 0) FROM \
         (SELECT date, video_id, SUM(counted) AS views, SUM(play_time) AS seconds \
         FROM play_history GROUP BY date, video_id) p LEFT JOIN \
         (SELECT date, video_id, COUNT(*) AS views FROM ad_history GROUP BY date, video_id) a \
         ON a.date = p.date AND a.video_id = p.video_id ORDER BY p.date",
    );
    for row in of_days {
        let (date, rest) = row.split_once('|').unwrap();
        let [video, views, seconds, ad_views] = numbers(rest);
        let before = lifetime.entry(video).or_default();
        if (from..=to).contains(&date) && (views, seconds, ad_views) != (0, 0, 0) {
            let sum = sums.entry(video).or_default();
            sum.views += views;
            sum.seconds += seconds;
            sum.ad_views += ad_views;
            sum.view_pay += pay(before.0, views, VIEW_PAY);
            sum.ad_pay += pay(before.1, ad_views, AD_PAY);
        }
        before.0 += views;
        before.1 += ad_views;
    }
    sums
}

/// Parses `12.34` as 1234.
fn hundredths(value: &Value) -> i64 {
    value.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// Returns a report of the command line.
fn console_report(env: &TestEnv, args: &[&str]) -> Value {
    env.balance(&[&["report"], args].concat())
        .run()
        .succeeded()
        .json()
}

/// Returns the first page of a period's revenues over HTTP, with the items of all pages.
fn whole(client: &Client, token: &str, date: &str, period: &str) -> Value {
    let first = format!("/revenues?date={date}&period={period}&limit={PAGE}");
    let mut whole = block_on(client.request("GET", &first, token))
        .is(200)
        .json();
    let mut items = whole["items"].as_array().unwrap().clone();
    while let Some(next) = whole["next"].as_str() {
        let path = format!("{first}&cursor={next}");
        let page = block_on(client.request("GET", &path, token)).is(200).json();
        assert_eq!(page["total"], whole["total"]);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        whole["next"] = page["next"].clone();
    }
    whole["items"] = items.into();
    whole
}

fn compare(env: TestEnv, dates: &[&str]) {
    let password = env.file("password", "correct horse");
    env.balance(&["admin", "create", "boss", "--password-file", &password])
        .run()
        .succeeded();
    let env = Rc::new(env);
    let server = {
        let env = Rc::clone(&env);
        Server::start(move || env.balance(&["serve"]))
    };
    let client = server.client();
    let boss = block_on(client.login("boss"));
    for (date, period) in dates
        .iter()
        .flat_map(|date| PERIODS.map(|period| (*date, period)))
    {
        let report = whole(&client, &boss, date, period);
        let args = ["--json", "--date", date, "--period", period];
        let mut of_console =
            console_report(&env, &[&["revenue", "--limit", "1000"], &args[..]].concat());
        let mut items = of_console["items"].as_array().unwrap().clone();
        while let Some(after) = of_console["next"].as_str().map(ToOwned::to_owned) {
            let more = ["revenue", "--limit", "1000", "--after", &after];
            let page = console_report(&env, &[&more, &args[..]].concat());
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            of_console["next"] = page["next"].clone();
        }
        of_console["items"] = items.into();
        assert_eq!(report, of_console, "{period} of {date}");

        let (from, to) = (
            report["from"].as_str().unwrap(),
            report["to"].as_str().unwrap(),
        );
        let sums = recomputed(&env, from, to);
        assert!(!sums.is_empty(), "{period} of {date}");
        let items = report["items"].as_array().unwrap();
        assert_eq!(items.len(), sums.len(), "{period} of {date}");
        for (item, (video, sum)) in items.iter().zip(&sums) {
            assert_eq!(item["videoId"], *video);
            assert_eq!(item["viewCount"], sum.views, "{item}");
            assert_eq!(item["adViewCount"], sum.ad_views, "{item}");
            assert_eq!(hundredths(&item["viewRevenue"]), sum.view_pay, "{item}");
            assert_eq!(hundredths(&item["adRevenue"]), sum.ad_pay, "{item}");
            assert_eq!(hundredths(&item["totalRevenue"]), sum.view_pay + sum.ad_pay);
        }
        let total = &report["total"];
        let all = |column: fn(&Sum) -> i64| sums.values().map(column).sum::<i64>();
        assert_eq!(total["videoCount"], sums.len());
        assert_eq!(total["viewCount"], all(|sum| sum.views));
        assert_eq!(total["totalPlayTime"], all(|sum| sum.seconds));
        assert_eq!(total["adViewCount"], all(|sum| sum.ad_views));
        assert_eq!(
            hundredths(&total["totalRevenue"]),
            all(|sum| sum.view_pay + sum.ad_pay)
        );

        for (path, by, column) in [
            (
                "view-count",
                "view-count",
                (|sum| sum.views) as fn(&Sum) -> i64,
            ),
            ("play-time", "play-time", |sum| sum.seconds),
        ] {
            let path = format!("/top5/{path}?date={date}&period={period}");
            let top = block_on(client.request("GET", &path, &boss)).is(200).json();
            let mut order: Vec<(i64, i64)> =
                sums.iter().map(|(id, sum)| (-column(sum), *id)).collect();
            order.sort_unstable();
            let video_ids: Vec<Value> = top["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["videoId"].clone())
                .collect();
            let expected: Vec<Value> = order.iter().take(5).map(|(_, id)| (*id).into()).collect();
            assert_eq!(video_ids, expected, "{path}");
            let of_console = console_report(&env, &[&["top5", "--by", by], &args[..]].concat());
            assert_eq!(top, of_console, "{path}");
        }
    }
    server.end().succeeded();
}

#[test]
fn reports_on_the_real_log_match_the_command_line_and_a_recomputation() {
    let Some(log) = figures::log() else { return };
    compare(figures::settled(&log), &["2022-04-09", "2022-04-16"]);
}

#[test]
fn reports_on_the_demo_match_the_command_line_and_a_recomputation() {
    let env = TestEnv::empty();
    demo(&env, &[]).succeeded();
    compare(env, &["2026-03-03", "2026-03-15"]);
}
