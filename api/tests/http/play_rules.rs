//! The rules of plays: reading and setting them, and their effect on plays.

use crate::env::{TestEnv, TestRequest, TestResponse};
use balance_domain::{clock::Clock, videos::MAX_ADS};
use balance_store::{import::ImportRules, operations::Actor};
use balance_test_support::settlement::PlayBatches;
use serde_json::{Value, json};

async fn put(env: &TestEnv, token: &str, body: Value) -> TestResponse {
    let request = TestRequest::new("PUT", "/play-rules")
        .token(token)
        .json(&body);
    env.send(request).await
}

/// Returns valid rules with a changed field.
fn rules(field: &str, value: Value) -> Value {
    let mut body = json!({
        "viewWindowS": 60, "adIntervalS": 100, "maxPlaybackRate": "1.50", "creditBurstS": 0,
        "maxUnconfirmedS": 600, "minWatchS": 30, "viewsPerMinute": 10, "viewBurst": 20, "videosPerHour": 3,
        "videoBurst": 4,
    });
    body[field] = value;
    body
}

/// Returns the rules of a new database.
fn defaults() -> Value {
    json!({
        "viewWindowS": 30, "adIntervalS": 300, "maxPlaybackRate": "2", "creditBurstS": 5,
        "maxUnconfirmedS": 14_400, "minWatchS": 0, "viewsPerMinute": 30, "viewBurst": 60, "videosPerHour": 60,
        "videoBurst": 100,
    })
}

/// Returns rules as the API returns them.
fn stored(mut rules: Value, version: u32, set_at: &str) -> Value {
    rules["version"] = json!(version);
    rules["setAt"] = json!(set_at);
    rules
}

/// Returns the actions and subjects of the audit log, newest first.
async fn audit(env: &TestEnv, admin: &str) -> Vec<(String, String)> {
    let page = env.request("GET", "/audit", admin).await.is(200).json();
    let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| (text(item, "action"), text(item, "subject")))
        .collect()
}

#[tokio::test]
async fn an_admin_stores_versions_of_the_rules_and_each_is_audited() {
    let env = TestEnv::new().await;
    let admin = env.admin("boss").await;
    let first = env.request("GET", "/play-rules", &admin).await.is(200);
    let expected = stored(defaults(), 1, "2026-03-02T03:00:00+00:00");
    assert_eq!(first.json(), expected);
    // Unchanged rules are no version.
    let mut same = defaults();
    same["maxPlaybackRate"] = json!("2.0");
    assert_eq!(put(&env, &admin, same).await.is(200).json(), expected);
    assert_eq!(audit(&env, &admin).await, []);

    env.clock.set(env.clock.now_micros() + 1_000_000);
    let second = put(&env, &admin, rules("version", json!(1))).await.is(200);
    let expected = rules("maxPlaybackRate", json!("1.5"));
    let expected = stored(expected, 2, "2026-03-02T03:00:01+00:00");
    assert_eq!(second.json(), expected);
    let outdated = put(&env, &admin, rules("version", json!(1))).await;
    let problem = outdated.is_problem(409, "play-rules-changed");
    assert!(problem["detail"].as_str().unwrap().contains('2'));
    let read = env.request("GET", "/play-rules", &admin).await.is(200);
    assert_eq!(read.json(), expected);
    let subject = "play rules 2: view window 60 s, ad interval 100 s, rate 1.5, \
                   credit burst 0 s, unconfirmed 600 s, watch 30 s, views 10/min burst 20, videos 3/h burst 4";
    let action = "SET_PLAY_RULES".to_owned();
    assert_eq!(audit(&env, &admin).await, [(action, subject.to_owned())]);
}

#[tokio::test]
async fn users_neither_read_nor_set_the_rules() {
    let env = TestEnv::new().await;
    let (_, user) = env.user("minsu").await;
    let admin = env.admin("boss").await;
    let read = env.request("GET", "/play-rules", &user).await;
    read.is_problem(403, "admin-only");
    let valid = rules("viewWindowS", json!(5));
    put(&env, &user, valid.clone())
        .await
        .is_problem(403, "admin-only");
    let request = TestRequest::new("PUT", "/play-rules").json(&valid);
    env.send(request).await.is_problem(401, "token-missing");
    let stored = env.request("GET", "/play-rules", &admin).await.json();
    assert_eq!(stored["version"], 1);
}

#[tokio::test]
async fn invalid_rules_are_rejected_with_the_field() {
    let env = TestEnv::new().await;
    let admin = env.admin("boss").await;
    for (field, value) in [
        ("viewWindowS", json!(-1)),
        ("viewWindowS", json!(86_401)),
        ("viewWindowS", json!(4_294_967_326_i64)),
        ("viewWindowS", json!("30")),
        ("viewWindowS", json!(null)),
        ("adIntervalS", json!(0)),
        ("adIntervalS", json!(86_401)),
        ("adIntervalS", json!(1.5)),
        ("maxPlaybackRate", json!(2)),
        ("maxPlaybackRate", json!("-1")),
        ("maxPlaybackRate", json!("100.001")),
        ("maxPlaybackRate", json!("1.2345")),
        ("maxPlaybackRate", json!("")),
        ("creditBurstS", json!(-1)),
        ("creditBurstS", json!(3_601)),
        ("maxUnconfirmedS", json!(0)),
        ("maxUnconfirmedS", json!(86_401)),
        ("minWatchS", json!(-1)),
        ("minWatchS", json!(86_401)),
        ("viewsPerMinute", json!(0)),
        ("viewsPerMinute", json!(100_001)),
        ("viewBurst", json!(0)),
        ("viewBurst", json!(100_001)),
        ("videosPerHour", json!(0)),
        ("videosPerHour", json!(100_001)),
        ("videoBurst", json!(0)),
        ("videoBurst", json!(100_001)),
        ("version", json!(0)),
        ("version", json!("1")),
        ("playbackRate", json!("2")),
    ] {
        put(&env, &admin, rules(field, value))
            .await
            .rejects_field(field);
    }
    // The body contains all rules: a missing one would keep an unknown value.
    for (field, _) in defaults().as_object().unwrap() {
        let mut body = defaults();
        body.as_object_mut().unwrap().remove(field);
        put(&env, &admin, body).await.rejects_field(field);
    }
    let stored = env.request("GET", "/play-rules", &admin).await.json();
    assert_eq!(stored["version"], 1);
}

#[tokio::test]
async fn a_new_window_decides_about_the_next_play() {
    let env = TestEnv::new().await;
    let admin = env.admin("boss").await;
    let (_, owner) = env.user("owner").await;
    let (_, viewer) = env.user("minsu").await;
    let video = env.video(&owner, "film", 600).await;
    let play = async || {
        env.request("POST", &format!("/videos/{video}/play"), &viewer)
            .await
    };
    play().await.is(200);
    play().await.is_problem(429, "repeated-view");
    let none = rules("viewWindowS", json!(0));
    put(&env, &admin, none).await.is(200);
    // The window of the counted view keeps its length.
    play().await.is_problem(429, "repeated-view");
    env.clock.set(env.clock.now_micros() + 30_000_000);
    play().await.is(200);
    play().await.is(200);
}

#[tokio::test]
async fn the_number_of_ads_is_limited() {
    let env = TestEnv::new().await;
    let admin = env.admin("boss").await;
    let ad = || {
        let request = TestRequest::new("POST", "/ads").token(&admin);
        request.json(&json!({"title": "one more"}))
    };
    let import = ImportRules {
        timezone: env.launcher.timezone,
        view_window_s: 30,
        ad_interval_s: 300,
        rules_version: 1,
        ads: u32::try_from(MAX_ADS).unwrap() - 1,
        link_accounts: false,
    };
    let mut plays = PlayBatches::sorted(Vec::new());
    let by = Actor::Console;
    let imported = env.store.import_plays(&mut plays, import, "ads.csv", &by);
    imported.await.unwrap();
    env.send(ad()).await.is(201);
    let refused = env.send(ad()).await;
    let problem = refused.is_problem(409, "too-many-ads");
    assert!(problem["detail"].as_str().unwrap().contains("10000"));
}

#[tokio::test]
async fn until_a_restore_is_complete_nothing_about_money_is_written() {
    let env = TestEnv::new().await;
    let admin = env.admin("boss").await;
    let rates = env.request("GET", "/revenue-rates", &admin).await.is(200);
    env.store
        .block_new_ids("an older database was restored".to_owned());
    let tier = |won: &str| json!([{"fromCount": 0, "toCount": null, "won": won}]);
    let rate = json!({"effectiveFrom": "2040-01-01", "video": tier("1"), "ad": tier("10")});
    for (path, body) in [
        ("/play-rules", rules("viewWindowS", json!(60))),
        ("/revenue-rates", rate),
    ] {
        let request = TestRequest::new("PUT", path).token(&admin).json(&body);
        let response = env.send(request).await.is(503);
        assert!(response.header("retry-after").is_some(), "{path}");
        let detail = response.json()["detail"].to_string();
        assert!(
            detail.contains("The restore of the database is incomplete"),
            "{detail}"
        );
    }
    let unchanged = env.request("GET", "/revenue-rates", &admin).await.is(200);
    assert_eq!(unchanged.json(), rates.json());
    let unchanged = env.request("GET", "/play-rules", &admin).await.is(200);
    assert_eq!(unchanged.json()["version"], 1);
    assert_eq!(audit(&env, &admin).await, []);
}
