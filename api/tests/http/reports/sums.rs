//! The sums of the reports.

use super::fixtures::{date, get, revenue, top, total, won};
use crate::{
    env::TestEnv,
    settled::{DAYS, Settled, Sum},
};
use balance_domain::period::PeriodKind;
use balance_service::reports::Reports;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_the_sums_of_the_plays() {
    let settled = Settled::new().await;
    let viewers = [
        (settled.admin.clone(), None),
        (settled.minsu.1.clone(), Some(settled.minsu.0)),
        (settled.jiwoo.1.clone(), Some(settled.jiwoo.0)),
    ];
    for day in ["2026-02-26", DAYS[0], DAYS[1], DAYS[2], "2026-03-15"] {
        for (token, owner) in &viewers {
            let mut all = json!({});
            for kind in PeriodKind::ALL {
                let expected = revenue(&settled, kind, day, *owner);
                let path = format!("/revenues?period={kind}&date={day}");
                assert_eq!(get(&settled, &path, token).await, expected, "{path}");
                all[kind.name()] = expected;
            }
            let path = format!("/revenues?date={day}");
            assert_eq!(get(&settled, &path, token).await, all, "{path}");
            let month = all.as_object_mut().unwrap().remove("month");
            let path = format!("/revenues?date={day}&period=day,week");
            assert_eq!(get(&settled, &path, token).await, all, "{path}: {month:?}");
        }
        for (path, by) in [
            ("/top5/view-count", (|sum| sum.views) as fn(&Sum) -> i64),
            ("/top5/play-time", |sum| sum.seconds),
        ] {
            let mut all = json!({});
            for kind in PeriodKind::ALL {
                let expected = top(&settled, kind, day, by);
                let path = format!("{path}?period={kind}&date={day}");
                for (token, _) in &viewers {
                    assert_eq!(get(&settled, &path, token).await, expected, "{path}");
                }
                all[kind.name()] = expected;
            }
            let path = format!("{path}?date={day}");
            assert_eq!(get(&settled, &path, &viewers[1].0).await, all, "{path}");
        }
    }
    // The default is the last day that is over.
    let whole = get(&settled, "/revenues", &settled.admin).await;
    assert_eq!(whole["day"]["from"], DAYS[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_videos_days_are_for_its_owner_and_for_admins() {
    let settled = Settled::new().await;
    let path = format!("/videos/5/statistics?from={}&to={}", DAYS[0], DAYS[2]);
    let days: Vec<Value> = DAYS
        .iter()
        .map(|day| {
            let sum = settled.sums(date(day), date(day))[&5];
            json!({
                "date": day,
                "viewCount": sum.views,
                "totalPlayTime": sum.seconds,
                "adViewCount": sum.ad_views,
                "viewRevenue": won(sum.views * 100),
                "adRevenue": won(sum.ad_views * 1_000),
                "totalRevenue": won(sum.revenue()),
            })
        })
        .collect();
    let mut sums = settled.sums(date(DAYS[0]), date(DAYS[2]));
    sums.retain(|video, _| *video == 5);
    let mut together = total(&sums);
    let count = together.as_object_mut().unwrap().remove("videoCount");
    together["dayCount"] = json!(3);
    assert_eq!(count, Some(json!(1)));
    let expected = json!({
        "videoId": 5,
        "from": DAYS[0],
        "to": DAYS[2],
        "settledThrough": DAYS[2],
        "total": together,
        "items": days,
    });
    for token in [&settled.minsu.1, &settled.admin] {
        assert_eq!(get(&settled, &path, token).await, expected);
    }
    let other = settled.env.request("GET", &path, &settled.jiwoo.1).await;
    other.is_problem(403, "other-user");
    let unknown = settled
        .env
        .request("GET", "/videos/99/statistics", &settled.admin);
    unknown.await.is_problem(404, "no-such-video");
    // The default is the month up to the last day that is over.
    let month = get(&settled, "/videos/5/statistics", &settled.minsu.1).await;
    assert_eq!(
        (&month["from"], &month["to"]),
        (&json!("2026-01-30"), &json!(DAYS[2]))
    );
    assert_eq!(month["items"], expected["items"]);
    for (query, field) in [
        ("from=2026-03-02&to=2026-03-01", "from"),
        ("from=2025-01-01&to=2026-03-01", "from"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("to=99999-01-01", "to"),
        ("format=xml", "format"),
    ] {
        let path = format!("/videos/5/statistics?{query}");
        settled
            .env
            .request("GET", &path, &settled.minsu.1)
            .await
            .rejects_field(field);
    }
    let year = "/videos/5/statistics?from=2025-03-01&to=2026-03-01";
    get(&settled, year, &settled.minsu.1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_without_settled_days_are_empty() {
    let env = TestEnv::new().await;
    let (_, token) = env.user("minsu").await;
    let all = env.request("GET", "/revenues", &token).await.is(200).json();
    for kind in PeriodKind::ALL {
        let report = &all[kind.name()];
        assert_eq!(report["settledThrough"], Value::Null);
        assert_eq!(report["items"], json!([]));
        assert_eq!(report["total"]["totalRevenue"], "0.00");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_reads_the_same_reports() {
    let settled = Settled::new().await;
    let reports = Reports::new(settled.store());
    for kind in PeriodKind::ALL {
        let day = date(DAYS[1]);
        let report = reports.revenue(day, kind, None, None, 1_000).await.unwrap();
        let path = format!("/revenues?period={kind}&date={day}&limit=1000");
        let answer = get(&settled, &path, &settled.admin).await;
        let total = report.total.total_revenue.to_string();
        assert_eq!(answer["total"]["totalRevenue"], total);
        assert_eq!(
            answer["items"].as_array().unwrap().len(),
            report.items.len()
        );
    }
}
