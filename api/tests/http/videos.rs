//! Registration and search of videos and ads.

use crate::env::{TestEnv, TestRequest};
use balance_domain::ids::FIRST_ASSIGNED_ID;
use serde_json::{Value, json};

async fn list(env: &TestEnv, token: &str, query: &str) -> Value {
    env.request("GET", &format!("/videos?{query}"), token)
        .await
        .is(200)
        .json()
}

fn titles(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|video| video["title"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_video_reads_back_as_it_was_registered() {
    let env = TestEnv::new().await;
    let (user_id, token) = env.user("minsu").await;
    let body =
        json!({"title": "<script>alert('x')</script>'; DROP TABLE video; --", "duration": 600});
    let answer = env
        .send(
            TestRequest::new("POST", "/videos")
                .token(&token)
                .json(&body),
        )
        .await
        .is(201);
    assert_eq!(answer.header("Location"), Some("/videos/8000000000000001"));
    let read = env
        .request("GET", "/videos/8000000000000001", &token)
        .await
        .is(200);
    assert_eq!(
        read.json(),
        json!({
            "videoId": FIRST_ASSIGNED_ID, "title": body["title"], "duration": 600, "ownerId": user_id,
            "viewCount": 0, "adViewCount": 0,
        })
    );
    assert_eq!(read.json(), answer.json());
    env.request("GET", "/videos/8000000000000002", &token)
        .await
        .is_problem(404, "no-such-video");
}

#[tokio::test]
async fn pages_have_no_gap_in_any_order() {
    let env = TestEnv::new().await;
    let (_, token) = env.user("minsu").await;
    // Some titles are equal.
    for number in 0..7 {
        env.video(&token, ["나비", "가을", "Zebra"][number % 3], 60)
            .await;
    }
    for sort in ["newest", "oldest", "title"] {
        let all = list(&env, &token, &format!("sort={sort}&limit=100")).await;
        assert_eq!(all["next"], Value::Null);
        assert_eq!(all["items"].as_array().unwrap().len(), 7);
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = list(&env, &token, &format!("sort={sort}&limit=2{cursor}")).await;
            paged.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else {
                break;
            };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(Value::Array(paged), all["items"], "{sort}");
    }
    let by_title = list(&env, &token, "sort=title").await;
    assert_eq!(
        titles(&by_title),
        ["Zebra", "Zebra", "가을", "가을", "나비", "나비", "나비"]
    );
}

#[tokio::test]
async fn filters_by_owner_and_title_can_be_combined() {
    let env = TestEnv::new().await;
    let (minsu_id, minsu) = env.user("minsu").await;
    let (_, jiwoo) = env.user("jiwoo").await;
    for (token, title) in [
        (&minsu, "Cat_1"),
        (&minsu, "cat%2"),
        (&jiwoo, "CATS"),
        (&minsu, "dog"),
    ] {
        env.video(token, title, 60).await;
    }
    assert_eq!(
        titles(&list(&env, &minsu, "title=cat&sort=oldest").await),
        ["Cat_1", "cat%2", "CATS"]
    );
    let query = format!("title=cat&ownerId={minsu_id}&sort=oldest");
    assert_eq!(
        titles(&list(&env, &jiwoo, &query).await),
        ["Cat_1", "cat%2"]
    );
    assert_eq!(
        titles(&list(&env, &minsu, "title=%25").await),
        ["cat%2"],
        "no wildcard"
    );
    assert_eq!(
        titles(&list(&env, &minsu, "title=_").await),
        ["Cat_1"],
        "no wildcard"
    );
    assert!(titles(&list(&env, &minsu, "ownerId=999").await).is_empty());
}

#[tokio::test]
async fn a_registration_with_a_key_is_done_once() {
    let env = TestEnv::new().await;
    let (_, minsu) = env.user("minsu").await;
    let (_, jiwoo) = env.user("jiwoo").await;
    let send = async |token: &str, key: &str, title: &str| {
        let request = TestRequest::new("POST", "/videos")
            .token(token)
            .header("Idempotency-Key", key);
        env.send(request.json(&json!({"title": title, "duration": 60})))
            .await
    };
    let first = send(&minsu, "k", "a").await.is(201);
    assert_eq!(send(&minsu, "k", "a").await.is(201).json(), first.json());
    send(&minsu, "k", "b")
        .await
        .is_problem(409, "idempotency-key-reused");
    let other = send(&jiwoo, "k", "b").await.is(201);
    assert_ne!(
        other.json()["videoId"],
        first.json()["videoId"],
        "each user has separate keys"
    );
    assert_ne!(
        send(&minsu, "l", "a").await.is(201).json()["videoId"],
        first.json()["videoId"]
    );
    env.clock.advance_ms(86_400_001);
    let token = env.login("minsu").await["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    send(&token, "k", "b").await.is(201);
}

#[tokio::test]
async fn ads_are_registered_and_listed_by_admins() {
    let env = TestEnv::new().await;
    let admin = env.admin("boss").await;
    for title in ["one", "two", "three"] {
        let request = TestRequest::new("POST", "/ads")
            .token(&admin)
            .json(&json!({ "title": title }));
        env.send(request).await.is(201);
    }
    let page = env
        .request("GET", "/ads?limit=2", &admin)
        .await
        .is(200)
        .json();
    assert_eq!(titles(&page), ["one", "two"]);
    let next = page["next"].as_str().unwrap();
    let page = env
        .request("GET", &format!("/ads?limit=2&cursor={next}"), &admin)
        .await
        .is(200)
        .json();
    assert_eq!(
        (titles(&page), &page["next"]),
        (vec!["three"], &Value::Null)
    );
    assert_eq!(page["items"][0]["adId"], 3);
}
