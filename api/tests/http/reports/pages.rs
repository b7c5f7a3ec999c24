//! Pages of reports, and their owners.

use super::fixtures::{get, revenue, rows};
use crate::settled::{DAYS, Settled};
use balance_domain::period::PeriodKind;

#[tokio::test(flavor = "multi_thread")]
async fn a_creator_sees_only_their_own_revenue_with_any_parameter() {
    let settled = Settled::new().await;
    let other = settled.jiwoo.0;
    let mine = &settled.minsu.1;
    for query in [
        format!("ownerId={other}"),
        format!("ownerId={other}&format=csv"),
        format!("period=day&ownerId={other}"),
    ] {
        let path = format!("/revenues?{query}");
        let answer = settled.env.request("GET", &path, mine).await;
        answer.is_problem(403, "other-user");
    }
    // A cursor contains the last video of a page, not the owner.
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
    // The own ID has the result of no ID; an admin may use any ID.
    let own = format!("/revenues?date={}&ownerId={}", DAYS[0], settled.minsu.0);
    let expected = revenue(&settled, PeriodKind::Day, DAYS[0], Some(settled.minsu.0));
    for token in [mine, &settled.admin] {
        assert_eq!(get(&settled, &own, token).await["day"], expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_every_video_once() {
    let settled = Settled::new().await;
    let whole = revenue(&settled, PeriodKind::Week, DAYS[0], None);
    for (limit, form) in [(1, ""), (4, ""), (11, ""), (100, "")] {
        let mut items = Vec::new();
        let mut path = format!("/revenues?period=week&date={}&limit={limit}{form}", DAYS[0]);
        loop {
            let answer = settled
                .env
                .request("GET", &path, &settled.admin)
                .await
                .is(200);
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
        // A cursor of another week, of another period, of several periods, and an invalid cursor.
        format!("period=week&date=2026-03-02&cursor={next}"),
        format!("period=day&date=2026-02-28&cursor={next}"),
        format!("date=2026-02-28&cursor={next}"),
        "period=week&date=2026-02-28&cursor=abc".to_owned(),
    ] {
        let path = format!("/revenues?{query}");
        settled
            .env
            .request("GET", &path, &settled.admin)
            .await
            .rejects_field("cursor");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_period_with_further_pages_has_a_link() {
    let settled = Settled::new().await;
    let path = format!("/revenues?date={}&limit=2&format=csv", DAYS[1]);
    let answer = settled
        .env
        .request("GET", &path, &settled.admin)
        .await
        .is(200);
    let links: Vec<&str> = answer.header("Link").unwrap().split(", ").collect();
    assert_eq!(links.len(), 3, "{links:?}");
    for (link, kind) in links.iter().zip(PeriodKind::ALL) {
        assert!(
            link.ends_with(&format!("; rel=\"next\"; title=\"{kind}\"")),
            "{link}"
        );
        let next = &link[1..link.find('>').unwrap()];
        let page = settled
            .env
            .request("GET", next, &settled.admin)
            .await
            .is(200);
        assert_eq!(rows(&page)[1][0], kind.name());
    }
}
