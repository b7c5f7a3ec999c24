//! Reports against a recomputation from the plays: shape, sums, ties, pages, forms, whose they are.

use crate::{
    env::{Answer, Ask},
    settled::{DAYS, Settled, Sum},
};
use balance_domain::period::PeriodKind;
use balance_service::reports::Reports;
use chrono::NaiveDate;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `12.34` of 1234.
fn won(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn total(sums: &BTreeMap<i64, Sum>) -> Value {
    let add = |column: fn(&Sum) -> i64| sums.values().map(column).sum::<i64>();
    json!({
        "videoCount": sums.len(),
        "viewCount": add(|sum| sum.views),
        "totalPlayTime": add(|sum| sum.seconds),
        "adViewCount": add(|sum| sum.ad_views),
        "viewRevenue": won(add(|sum| sum.views * 100)),
        "adRevenue": won(add(|sum| sum.ad_views * 1_000)),
        "totalRevenue": won(add(|sum| sum.pay())),
    })
}

/// What a period's revenues must be, on one page.
fn revenue(settled: &Settled, kind: PeriodKind, day: &str, owner: Option<i64>) -> Value {
    let period = kind.containing(date(day));
    let mut sums = settled.sums(period.from, period.to);
    sums.retain(|video, _| owner.is_none_or(|owner| settled.owner(*video) == owner));
    let items: Vec<Value> = sums
        .iter()
        .map(|(video, sum)| {
            json!({
                "videoId": video,
                "title": format!("film {video}, \"the\" best"),
                "ownerId": settled.owner(*video),
                "viewCount": sum.views,
                "adViewCount": sum.ad_views,
                "viewRevenue": won(sum.views * 100),
                "adRevenue": won(sum.ad_views * 1_000),
                "totalRevenue": won(sum.pay()),
            })
        })
        .collect();
    json!({
        "period": kind.name(),
        "from": period.from.to_string(),
        "to": period.to.to_string(),
        "settledThrough": DAYS[2],
        "total": total(&sums),
        "items": items,
        "next": null,
    })
}

/// What a period's top five must be.
fn top(settled: &Settled, kind: PeriodKind, day: &str, by: fn(&Sum) -> i64) -> Value {
    let period = kind.containing(date(day));
    let sums = settled.sums(period.from, period.to);
    let mut order: Vec<(&i64, &Sum)> = sums.iter().collect();
    order.sort_by_key(|(video, sum)| (-by(sum), **video));
    let items: Vec<Value> = (1..=5)
        .zip(order)
        .map(|(rank, (video, sum))| {
            json!({
                "rank": rank,
                "videoId": video,
                "title": format!("film {video}, \"the\" best"),
                "viewCount": sum.views,
                "totalPlayTime": sum.seconds,
            })
        })
        .collect();
    let mut total = total(&sums);
    let total = total.as_object_mut().unwrap();
    total.retain(|name, _| !name.ends_with("Revenue"));
    json!({
        "period": kind.name(),
        "from": period.from.to_string(),
        "to": period.to.to_string(),
        "settledThrough": DAYS[2],
        "total": total,
        "items": items,
        "next": null,
    })
}

async fn get(settled: &Settled, path: &str, token: &str) -> Value {
    settled.env.ask("GET", path, token).await.is(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_what_the_plays_come_to() {
    let settled = Settled::new().await;
    let whose = [
        (settled.admin.clone(), None),
        (settled.minsu.1.clone(), Some(settled.minsu.0)),
        (settled.jiwoo.1.clone(), Some(settled.jiwoo.0)),
    ];
    for day in ["2026-02-26", DAYS[0], DAYS[1], DAYS[2], "2026-03-15"] {
        for (token, owner) in &whose {
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
                for (token, _) in &whose {
                    assert_eq!(get(&settled, &path, token).await, expected, "{path}");
                }
                all[kind.name()] = expected;
            }
            let path = format!("{path}?date={day}");
            assert_eq!(get(&settled, &path, &whose[1].0).await, all, "{path}");
        }
    }
    // Without a date: the last day that is over.
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
                "totalRevenue": won(sum.pay()),
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
    let ask = settled.env.ask("GET", &path, &settled.jiwoo.1).await;
    ask.is_problem(403, "other-user");
    let nothing = settled
        .env
        .ask("GET", "/videos/99/statistics", &settled.admin);
    nothing.await.is_problem(404, "no-such-video");
    // Without days: the month up to the last day that is over.
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
            .ask("GET", &path, &settled.minsu.1)
            .await
            .names(field);
    }
    let year = "/videos/5/statistics?from=2025-03-01&to=2026-03-01";
    get(&settled, year, &settled.minsu.1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creator_sees_nobody_elses_revenue_by_any_parameter() {
    let settled = Settled::new().await;
    let other = settled.jiwoo.0;
    let mine = &settled.minsu.1;
    for query in [
        format!("ownerId={other}"),
        format!("ownerId={other}&format=csv"),
        format!("period=day&ownerId={other}"),
    ] {
        let path = format!("/revenues?{query}");
        let answer = settled.env.ask("GET", &path, mine).await;
        answer.is_problem(403, "other-user");
    }
    // A cursor says after which video a page begins, and nothing of whose.
    let path = format!("/revenues?period=month&date={}&limit=1", DAYS[0]);
    let page = get(&settled, &path, &settled.jiwoo.1).await;
    let next = page["next"].as_str().unwrap();
    let path = format!("/revenues?period=month&date={}&cursor={next}", DAYS[0]);
    let page = get(&settled, &path, mine).await;
    let items = page["items"].as_array().unwrap();
    assert!(!items.is_empty());
    for item in items {
        assert_eq!(item["ownerId"], settled.minsu.0);
    }
    // An own id is as good as none; an admin may name anybody.
    let own = format!("/revenues?date={}&ownerId={}", DAYS[0], settled.minsu.0);
    let expected = revenue(&settled, PeriodKind::Day, DAYS[0], Some(settled.minsu.0));
    for token in [mine, &settled.admin] {
        assert_eq!(get(&settled, &own, token).await["day"], expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_video_once() {
    let settled = Settled::new().await;
    let whole = revenue(&settled, PeriodKind::Week, DAYS[0], None);
    for (limit, form) in [(1, ""), (4, ""), (11, ""), (100, "")] {
        let mut items = Vec::new();
        let mut path = format!("/revenues?period=week&date={}&limit={limit}{form}", DAYS[0]);
        loop {
            let answer = settled.env.ask("GET", &path, &settled.admin).await.is(200);
            let page = answer.json();
            assert_eq!(page["total"], whole["total"], "of all pages");
            let found = page["items"].as_array().unwrap();
            assert!(found.len() <= limit);
            items.extend(found.iter().cloned());
            let link = answer.header("Link");
            let Some(next) = page["next"].as_str() else {
                assert_eq!(link, None);
                break;
            };
            let link = link.unwrap();
            assert!(
                link.ends_with("; rel=\"next\"; title=\"week\"") && link.contains(next),
                "{link}"
            );
            path = link[1..link.find('>').unwrap()].to_owned();
        }
        assert_eq!(items, *whole["items"].as_array().unwrap(), "limit {limit}");
    }
    let page = get(
        &settled,
        "/revenues?period=week&limit=1&date=2026-02-28",
        &settled.admin,
    );
    let next = page.await["next"].as_str().unwrap().to_owned();
    for query in [
        // Of another week, of another period, of several, and nothing of ours.
        format!("period=week&date=2026-03-02&cursor={next}"),
        format!("period=day&date=2026-02-28&cursor={next}"),
        format!("date=2026-02-28&cursor={next}"),
        "period=week&date=2026-02-28&cursor=abc".to_owned(),
    ] {
        let path = format!("/revenues?{query}");
        settled
            .env
            .ask("GET", &path, &settled.admin)
            .await
            .names("cursor");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_period_that_goes_on_says_where() {
    let settled = Settled::new().await;
    let path = format!("/revenues?date={}&limit=2&format=csv", DAYS[1]);
    let answer = settled.env.ask("GET", &path, &settled.admin).await.is(200);
    let links: Vec<&str> = answer.header("Link").unwrap().split(", ").collect();
    assert_eq!(links.len(), 3, "{links:?}");
    for (link, kind) in links.iter().zip(PeriodKind::ALL) {
        assert!(
            link.ends_with(&format!("; rel=\"next\"; title=\"{kind}\"")),
            "{link}"
        );
        let next = &link[1..link.find('>').unwrap()];
        let page = settled.env.ask("GET", next, &settled.admin).await.is(200);
        assert_eq!(rows(&page)[1][0], kind.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_named() {
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
            .ask("GET", &path, &settled.admin)
            .await
            .names(field);
    }
    for query in ["date=today", "period=year"] {
        let field = query.split('=').next().unwrap();
        for path in ["/top5/view-count", "/top5/play-time"] {
            let path = format!("{path}?{query}");
            settled
                .env
                .ask("GET", &path, &settled.minsu.1)
                .await
                .names(field);
        }
    }
}

fn rows(answer: &Answer) -> Vec<Vec<String>> {
    let content_type = answer.header("Content-Type").unwrap();
    assert_eq!(content_type, "text/csv; charset=utf-8");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(answer.text.as_bytes());
    reader
        .records()
        .map(|row| row.unwrap().iter().map(ToOwned::to_owned).collect())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn csv_has_the_items_of_the_json() {
    let settled = Settled::new().await;
    let path = format!("/revenues?date={}&format=csv", DAYS[1]);
    let answer = settled
        .env
        .ask("GET", &path, &settled.minsu.1)
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
            .ask("GET", &path, &settled.minsu.1)
            .await
            .is(200);
        assert_eq!(rows(&answer).len(), lines, "{path}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_has_a_tag_and_what_is_not_has_none() {
    let settled = Settled::new().await;
    let ask = |path: &str, tag: Option<&str>| {
        let mut ask = Ask::new("GET", path).by(&settled.minsu.1);
        if let Some(tag) = tag {
            ask = ask.header("If-None-Match", tag);
        }
        settled.env.send(ask)
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
        let answer = ask(path, None).await.is(200);
        let tag = answer.header("ETag").unwrap().to_owned();
        assert_eq!(answer.header("Cache-Control"), Some("private, no-cache"));
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"x\", {tag}"),
            "*".to_owned(),
        ] {
            let again = ask(path, Some(&known)).await.is(304);
            assert_eq!(again.text, "");
            assert_eq!(again.header("ETag"), Some(tag.as_str()));
        }
        ask(path, Some("\"x\"")).await.is(200);
        tags.push(tag);
    }
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), 7, "each report has its own");
    for path in [
        // The month is not over; the day is not settled.
        "/revenues?date=2026-03-01",
        "/revenues?period=month&date=2026-03-01",
        "/revenues?period=day&date=2026-03-02",
        "/top5/view-count?date=2026-03-01",
        "/videos/5/statistics?to=2026-03-02",
    ] {
        let answer = ask(path, None).await.is(200);
        assert_eq!(answer.header("ETag"), None, "{path}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{path}");
        ask(path, Some("*")).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_settled_is_no_error() {
    let env = crate::env::TestEnv::new().await;
    let (_, token) = env.user("minsu").await;
    let all = env.ask("GET", "/revenues", &token).await.is(200).json();
    for kind in PeriodKind::ALL {
        let report = &all[kind.name()];
        assert_eq!(report["settledThrough"], Value::Null);
        assert_eq!(report["items"], json!([]));
        assert_eq!(report["total"]["totalRevenue"], "0.00");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_reads_the_same() {
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
