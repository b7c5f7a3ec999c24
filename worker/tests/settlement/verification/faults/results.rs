//! Faults of the history and of the results.

use super::{assert_found, fault, inject};
use crate::verification::fixtures::{ALL, DAY, NEXT, lines, run_verify, settled};
use balance_service::verification::{Kind, Options};
use balance_test_support::settlement::date;

/// The row of video 3 on the second day.
const OF_3: &str = "WHERE video_id = 3 AND date = '2024-05-28'";

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_days_are_found_and_named() {
    let env = settled().await;
    let set = |table: &str, column: &str, value: &str| {
        format!("UPDATE {table} SET {column} = {value} {OF_3}")
    };
    let faults = [
        fault(
            "video_statistics",
            set("video_statistics", "view_count", "view_count + 1"),
            "statistics: video_statistics (date 2024-05-28, video 3) view_count: 5 / 6
             periods: period_rollup (week of 2024-05-27, video 3) view_count: 16 / 15
             periods: period_rollup (month of 2024-05-01, video 3) view_count: 11 / 10",
        ),
        fault(
            "video_statistics",
            set("video_statistics", "total_play_time", "total_play_time - 1"),
            "statistics: video_statistics (date 2024-05-28, video 3) total_play_time: 740 / 739
             periods: period_rollup (week of 2024-05-27, video 3) total_play_time: 2219 / 2220
             periods: period_rollup (month of 2024-05-01, video 3) total_play_time: 1479 / 1480",
        ),
        // The row itself, and the next row, which continues from it.
        fault(
            "video_statistics",
            set("video_statistics", "cumulative_view_count", "11"),
            "chain: video_statistics (date 2024-05-28, video 3) cumulative_view_count: 10 / 11
             chain: video_statistics (date 2024-06-01, video 3) cumulative_view_count: 16 / 15",
        ),
        fault(
            "video_statistics",
            "INSERT INTO video_statistics VALUES (77, '2024-05-28', 1, 2, 3, 1, 3)",
            "statistics: video_statistics (date 2024-05-28, video 77) row: no row / 1 views, 2 s
             periods: period_rollup (week of 2024-05-27, video 77) row: a row
             periods: period_rollup (month of 2024-05-01, video 77) row: a row",
        ),
        fault(
            "video_statistics",
            "INSERT INTO video_statistics VALUES (3, '2024-06-20', 1, 2, 3, 1, 3)",
            "statistics: video_statistics (date 2024-06-20, video 3) row: no row: the day was never",
        ),
        fault(
            "video_revenue",
            set("video_revenue", "view_revenue", "501"),
            "revenue: video_revenue (date 2024-05-28, video 3) view_revenue: 500 / 501
             periods: period_rollup (week of 2024-05-27, video 3) view_revenue: 1501 / 1500
             periods: period_rollup (month of 2024-05-01, video 3) view_revenue: 1001 / 1000",
        ),
        fault(
            "video_revenue",
            set("video_revenue", "total_revenue", "2501"),
            "revenue: video_revenue (date 2024-05-28, video 3) total_revenue: 2500 / 2501
             periods: period_rollup (week of 2024-05-27, video 3) total_revenue: 7501 / 7500
             periods: period_rollup (month of 2024-05-01, video 3) total_revenue: 5001 / 5000",
        ),
        fault(
            "video_revenue",
            "INSERT INTO video_revenue VALUES (77, '2024-05-28', 1, 2, 3)",
            "revenue: video_revenue (date 2024-05-28, video 77) row: no row / 1 + 2 = 3",
        ),
        fault(
            "revenue_rate",
            "DELETE FROM revenue_rate WHERE kind = 'AD' AND from_count = 500000",
            "revenue: revenue_rate (the version that pays 2024-05-27) from_count: tiers
             revenue: revenue_rate (the version that pays 2024-05-28) from_count: tiers
             revenue: revenue_rate (the version that pays 2024-06-01) from_count: tiers",
        ),
        fault(
            "opening_balance",
            "INSERT INTO opening_balance VALUES (3, 1, 0)",
            "chain: video_statistics (date 2024-05-27, video 3) cumulative_view_count: 6 / 5",
        ),
        fault(
            "video",
            "DELETE FROM video WHERE id = 3",
            "statistics: video (date 2024-05-27, video 3) row: the video / no row
             statistics: video (date 2024-05-28, video 3) row: the video / no row
             statistics: video (date 2024-06-01, video 3) row: the video / no row",
        ),
        fault(
            "closed_through",
            "UPDATE closed_through SET date = '2024-05-28'",
            "order: closed_through (date 2024-06-01) date: 2024-06-01 or later",
        ),
    ];
    assert_found(&env, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_missing_breaks_its_chain_and_its_sums() {
    let env = settled().await;
    let starts =
        |found: &[String], start: &str| found.iter().filter(|line| line.starts_with(start)).count();
    let found = inject(
        &env,
        "video_statistics",
        &format!("DELETE FROM video_statistics {OF_3}"),
    )
    .await;
    let row = "statistics: video_statistics (date 2024-05-28, video 3) row: 5 views, 740 s, \
               2 ad views / no row";
    assert_eq!(found[0], row);
    let next = "chain: video_statistics (date 2024-06-01, video 3)";
    assert_eq!((starts(&found, next), starts(&found, "periods: ")), (2, 12));
    assert_eq!(found.len(), 15, "{found:#?}");
    let found = inject(
        &env,
        "video_revenue",
        &format!("DELETE FROM video_revenue {OF_3}"),
    )
    .await;
    let row = "revenue: video_revenue (date 2024-05-28, video 3) row: 500 + 2000 / no row";
    assert_eq!(found[0], row);
    assert_eq!(
        (starts(&found, "periods: "), found.len()),
        (6, 7),
        "{found:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_history_are_found_and_named() {
    let env = settled().await;
    let copy = |day: &str| {
        format!(
            "INSERT INTO play_history (date, event_id, video_id, user_id, occurred_at_micros, counted, \
             play_time, reported_time) SELECT '{day}', event_id, video_id, user_id, \
             occurred_at_micros, counted, play_time, reported_time FROM play_history \
             {OF_3} AND user_id = 3"
        )
    };
    let history = |change: &str| format!("{change} {OF_3} AND user_id = 3");
    let event = "event 018fbd23f750700082b6320e2809d025";
    let late = "event_id, date, video_id, user_id, occurred_at_micros, counted, play_time, \
                reported_time, '2024-06-30 12:00:00' FROM play_history";
    let faults = [
        fault(
            "play_history",
            history("DELETE FROM play_history"),
            "statistics: video_statistics (date 2024-05-28, video 3) view_count: 4 / 5
             statistics: video_statistics (date 2024-05-28, video 3) total_play_time: 730 / 740",
        ),
        fault(
            "play_history",
            history("UPDATE play_history SET play_time = 9"),
            "statistics: video_statistics (date 2024-05-28, video 3) total_play_time: 739 / 740",
        ),
        fault(
            "play_history",
            history("UPDATE play_history SET play_time = -10"),
            "history: play_history (date 2024-05-28, video 3) play_time: 0 or more / -10
             statistics: video_statistics (date 2024-05-28, video 3) total_play_time: 720 / 740",
        ),
        fault(
            "play_history",
            history("UPDATE play_history SET counted = 2"),
            "history: play_history (date 2024-05-28, video 3) counted: 0 or 1 / 2
             statistics: video_statistics (date 2024-05-28, video 3) view_count: 6 / 5",
        ),
        // The same event on another day: an unsettled one, and a settled one.
        fault(
            "play_history",
            copy("2024-06-02"),
            &format!("history: play_history (date 2024-06-02, {event}) event_id: an event of one day / also on 2024-05-28"),
        ),
        fault(
            "play_history",
            copy("2024-05-27"),
            &format!(
                "history: play_history (date 2024-05-27, {event}) event_id: an event of one day / also on 2024-05-28
                 statistics: video_statistics (date 2024-05-27, video 3) view_count: 6 / 5
                 statistics: video_statistics (date 2024-05-27, video 3) total_play_time: 750 / 740"
            ),
        ),
        fault(
            "play_history",
            history("UPDATE play_history SET date = '2024-06-02'"),
            &format!(
                "history: play_history (date 2024-06-02, {event}) date: 2024-05-28 / 2024-06-02
                 statistics: video_statistics (date 2024-05-28, video 3) view_count: 4 / 5
                 statistics: video_statistics (date 2024-05-28, video 3) total_play_time: 730 / 740"
            ),
        ),
        // An event that is late and in the history.
        fault(
            "late_event",
            format!("INSERT INTO late_event SELECT {late} {OF_3} AND user_id = 3"),
            &format!("history: late_event (date 2024-05-28, {event}) event_id: an event that the history does not hold"),
        ),
        // A late event of an open day.
        fault(
            "late_event",
            format!(
                "INSERT INTO late_event SELECT {} {OF_3} AND user_id = 3",
                late.replacen(" date,", " '2024-06-02',", 1)
            ),
            &format!("history: late_event (date 2024-06-02, {event}) date: a closed day / an open one"),
        ),
        fault(
            "ad_history",
            "DELETE FROM ad_history WHERE date = '2024-05-28' AND video_id = 8 AND slot_s = 300",
            "statistics: video_statistics (date 2024-05-28, video 8) ad_view_count: 1 / 2",
        ),
    ];
    assert_found(&env, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_weeks_and_months_are_found_and_named() {
    let env = settled().await;
    let week = "video_id = 3 AND period = 'week'";
    let faults = [
        fault(
            "period_rollup",
            format!("UPDATE period_rollup SET total_play_time = total_play_time - 1 WHERE {week}"),
            "periods: period_rollup (week of 2024-05-27, video 3) total_play_time: 2220 / 2219",
        ),
        fault(
            "period_rollup",
            "DELETE FROM period_rollup WHERE video_id = 3",
            "periods: period_rollup (week of 2024-05-27, video 3) row: a row: the video was settled on 2024-05-27 / no row
             periods: period_rollup (month of 2024-05-01, video 3) row: a row: the video was settled on 2024-05-27 / no row
             periods: period_rollup (month of 2024-06-01, video 3) row: a row: the video was settled on 2024-06-01 / no row",
        ),
        fault(
            "period_rollup",
            "INSERT INTO period_rollup VALUES ('month', '2024-05-01', 77, 0, 0, 0, 0, 0, 0)",
            "periods: period_rollup (month of 2024-05-01, video 77) row: no row",
        ),
        fault(
            "period_rollup",
            format!("UPDATE period_rollup SET start_date = '2024-05-28' WHERE {week}"),
            "periods: period_rollup (week of 2024-05-27, video 3) row: a row
             periods: period_rollup (week of 2024-05-28, video 3) start_date: a Monday",
        ),
        fault(
            "period_rollup",
            format!("UPDATE period_rollup SET period = 'year' WHERE {week}"),
            "periods: period_rollup (week of 2024-05-27, video 3) row: a row
             periods: period_rollup (video 3) period: week or month",
        ),
    ];
    assert_found(&env, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_totals_are_found_and_named() {
    let env = settled().await;
    let day = "period = 'day' AND start_date = '2024-05-28'";
    let week = "period = 'week' AND start_date = '2024-05-27'";
    let set = |change: &str, rows: &str| format!("UPDATE period_total SET {change} WHERE {rows}");
    let of_day = "periods: period_total (day of 2024-05-28)";
    let of_week = "periods: period_total (week of 2024-05-27)";
    let faults = [
        fault(
            "period_total",
            set("video_count = video_count + 1", day),
            &format!("{of_day} video_count: "),
        ),
        fault(
            "period_total",
            set("total_revenue = total_revenue - 1", week),
            &format!("{of_week} total_revenue: "),
        ),
        fault(
            "period_total",
            "INSERT INTO period_total VALUES ('day', '2024-06-20', 1, 2, 3, 4, 5, 6, 7)",
            "periods: period_total (day of 2024-06-20) period: no row: the day was never launched / a row",
        ),
        fault(
            "period_total",
            "INSERT INTO period_total VALUES ('week', '2024-06-24', 1, 2, 3, 4, 5, 6, 18)",
            "periods: period_total (week of 2024-06-24) video_count: 0 / 1
             periods: period_total (week of 2024-06-24) view_count: 0 / 2
             periods: period_total (week of 2024-06-24) total_play_time: 0 / 3
             periods: period_total (week of 2024-06-24) ad_view_count: 0 / 4
             periods: period_total (week of 2024-06-24) view_revenue: 0 / 5
             periods: period_total (week of 2024-06-24) ad_revenue: 0 / 6
             periods: period_total (week of 2024-06-24) total_revenue: 0 / 18",
        ),
        fault(
            "period_total",
            set("start_date = '2024-05-28'", week),
            "periods: period_total (week of 2024-05-28) start_date: a Monday",
        ),
        fault(
            "period_total",
            set("period = 'year'", week),
            "periods: period_total (year of 2024-05-27) period: day, week or month / a row",
        ),
    ];
    assert_found(&env, &faults).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_differences_are_counted_and_the_first_are_listed() {
    let env = settled().await;
    env.execute("UPDATE video_statistics SET total_play_time = total_play_time + 1")
        .await;
    let some = |from: &str, limit| Options {
        from: Some(date(from)),
        to: None,
        limit,
    };
    let all = run_verify(&env, Options { limit: 3, ..ALL }).await;
    assert_eq!(all.findings.total(Kind::Statistics), 3 * 40);
    // One week and two months.
    assert_eq!(all.findings.total(Kind::Periods), 3 * 40);
    assert_eq!(
        (lines(&all).len(), all.findings.shown(Kind::Periods).count()),
        (6, 3)
    );
    assert!(lines(&all)[0].contains(DAY));
    let later = run_verify(&env, some(NEXT, 3)).await;
    assert_eq!(later.findings.total(Kind::Statistics), 2 * 40);
    assert!(lines(&later)[0].contains(NEXT));
    let none = run_verify(&env, some("2024-07-01", 0)).await;
    assert!(none.findings.is_clean());
    assert_eq!((none.days, none.period_rows), (0, 0));
}
