//! Expected reports, computed from the plays.

use crate::{
    env::TestResponse,
    settled::{DAYS, Settled, Sum},
};
use balance_domain::period::PeriodKind;
use chrono::NaiveDate;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Formats hundredths of a won: 1234 is `12.34`.
pub(crate) fn won(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(crate) fn total(sums: &BTreeMap<i64, Sum>) -> Value {
    let add = |column: fn(&Sum) -> i64| sums.values().map(column).sum::<i64>();
    json!({
        "videoCount": sums.len(),
        "viewCount": add(|sum| sum.views),
        "totalPlayTime": add(|sum| sum.seconds),
        "adViewCount": add(|sum| sum.ad_views),
        "viewRevenue": won(add(|sum| sum.views * 100)),
        "adRevenue": won(add(|sum| sum.ad_views * 1_000)),
        "totalRevenue": won(add(|sum| sum.revenue())),
    })
}

/// Returns the expected revenue report of a period, on one page.
pub(crate) fn revenue(settled: &Settled, kind: PeriodKind, day: &str, owner: Option<i64>) -> Value {
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
                "totalRevenue": won(sum.revenue()),
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

/// Returns the expected top five of a period.
pub(crate) fn top(settled: &Settled, kind: PeriodKind, day: &str, by: fn(&Sum) -> i64) -> Value {
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

pub(crate) async fn get(settled: &Settled, path: &str, token: &str) -> Value {
    settled.env.request("GET", path, token).await.is(200).json()
}

pub(crate) fn rows(answer: &TestResponse) -> Vec<Vec<String>> {
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
