//! Parameters, CSV and entity tags of reports.

use super::fixtures::{revenue, rows};
use crate::{
    env::TestRequest,
    settled::{DAYS, Settled},
};
use balance_domain::period::PeriodKind;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_rejected_by_name() {
    let settled = Settled::new().await;
    for (query, field) in [
        ("date=today", "date"),
        ("date=2026-02-30", "date"),
        ("date=20260228", "date"),
        ("date=0001-01-01", "date"),
        ("period=year", "period"),
        ("period=", "period"),
        ("period=day,day", "period"),
        ("period=day,week,month,day", "period"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("format=xml", "format"),
        ("ownerId=0", "ownerId"),
        ("ownerId=me", "ownerId"),
        ("date=2026-2-28", "date"),
        ("period=day&period=week", "period"),
        ("limit=5&limit=6", "limit"),
    ] {
        let path = format!("/revenues?{query}");
        settled
            .env
            .request("GET", &path, &settled.admin)
            .await
            .rejects_field(field);
    }
    for query in ["date=today", "period=year"] {
        let field = query.split('=').next().unwrap();
        for path in ["/top5/view-count", "/top5/play-time"] {
            let path = format!("{path}?{query}");
            settled
                .env
                .request("GET", &path, &settled.minsu.1)
                .await
                .rejects_field(field);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_has_the_items_of_the_json() {
    let settled = Settled::new().await;
    let path = format!("/revenues?date={}&format=csv", DAYS[1]);
    let answer = settled
        .env
        .request("GET", &path, &settled.minsu.1)
        .await
        .is(200);
    let found = rows(&answer);
    let mut expected = vec![
        vec![
            "period",
            "from",
            "to",
            "video_id",
            "title",
            "owner_id",
            "view_count",
            "ad_view_count",
            "view_revenue",
            "ad_revenue",
            "total_revenue",
        ]
        .into_iter()
        .map(str::to_owned)
        .collect(),
    ];
    for kind in PeriodKind::ALL {
        let report = revenue(&settled, kind, DAYS[1], Some(settled.minsu.0));
        for item in report["items"].as_array().unwrap() {
            let text = |value: &Value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), ToOwned::to_owned)
            };
            let mut row = vec![
                text(&report["period"]),
                text(&report["from"]),
                text(&report["to"]),
            ];
            row.extend(
                [
                    "videoId",
                    "title",
                    "ownerId",
                    "viewCount",
                    "adViewCount",
                    "viewRevenue",
                    "adRevenue",
                    "totalRevenue",
                ]
                .map(|name| text(&item[name])),
            );
            expected.push(row);
        }
    }
    assert_eq!(found, expected);
    for (path, lines) in [
        (format!("/top5/view-count?date={}&format=csv", DAYS[1]), 16),
        (
            format!("/top5/play-time?period=day&date={}&format=csv", DAYS[1]),
            6,
        ),
        ("/videos/5/statistics?format=csv".to_owned(), 4),
    ] {
        let answer = settled
            .env
            .request("GET", &path, &settled.minsu.1)
            .await
            .is(200);
        assert_eq!(rows(&answer).len(), lines, "{path}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_settled_reports_have_a_tag() {
    let settled = Settled::new().await;
    let request = |path: &str, tag: Option<&str>| {
        let mut request = TestRequest::new("GET", path).token(&settled.minsu.1);
        if let Some(tag) = tag {
            request = request.header("If-None-Match", tag);
        }
        settled.env.send(request)
    };
    let mut tags = Vec::new();
    for path in [
        "/revenues?period=day,week&date=2026-02-28",
        "/revenues?period=month&date=2026-02-28",
        "/revenues?period=month&date=2026-02-28&format=csv",
        "/revenues?period=month&date=2026-02-28&limit=1",
        "/top5/view-count?date=2026-02-28",
        "/top5/play-time?date=2026-02-28",
        "/videos/5/statistics?to=2026-03-01",
    ] {
        let answer = request(path, None).await.is(200);
        let tag = answer.header("ETag").unwrap().to_owned();
        assert_eq!(answer.header("Cache-Control"), Some("private, no-cache"));
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"x\", {tag}"),
            "*".to_owned(),
        ] {
            let again = request(path, Some(&known)).await.is(304);
            assert_eq!(again.text, "");
            assert_eq!(again.header("ETag"), Some(tag.as_str()));
        }
        request(path, Some("\"x\"")).await.is(200);
        tags.push(tag);
    }
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), 7, "each report has its own");
    for path in [
        // The month is not over, or the day is not settled.
        "/revenues?date=2026-03-01",
        "/revenues?period=month&date=2026-03-01",
        "/revenues?period=day&date=2026-03-02",
        "/top5/view-count?date=2026-03-01",
        "/videos/5/statistics?to=2026-03-02",
    ] {
        let answer = request(path, None).await.is(200);
        assert_eq!(answer.header("ETag"), None, "{path}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{path}");
        request(path, Some("*")).await.is(200);
    }
}
