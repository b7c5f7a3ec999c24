//! Joining, logging in, renewing tokens, logging out.

use crate::env::{PASSWORD, TestEnv, TestRequest, TestResponse, UNLIMITED};
use balance_api::Limits;
use balance_domain::ids::FIRST_ASSIGNED_ID;
use balance_service::{
    events::stream::EventStream,
    operations::restore::{RestoreError, check_ids, check_ids_at_start, complete},
};
use balance_store::operations::{Actor, HighestIds};
use balance_test_support::stream::FakeStream;
use serde_json::{Value, json};
use std::sync::Arc;

fn refresh(tokens: &Value) -> &str {
    tokens["refreshToken"].as_str().unwrap()
}

async fn reissue(env: &TestEnv, token: &str) -> TestResponse {
    env.post("/reissue", &json!({ "refreshToken": token }))
        .await
}

#[tokio::test]
async fn joining_makes_an_account_once() {
    let env = TestEnv::new().await;
    let body = json!({"username": "민수", "password": PASSWORD});
    let joined = env.post("/join", &body).await.is(201).json();
    assert_eq!(
        joined,
        json!({"userId": FIRST_ASSIGNED_ID, "username": "민수"})
    );
    env.post("/join", &body)
        .await
        .is_problem(409, "username-taken");
    // The same name in decomposed Unicode.
    let decomposed =
        json!({"username": "\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}", "password": PASSWORD});
    env.post("/join", &decomposed)
        .await
        .is_problem(409, "username-taken");
    let other = json!({"username": "minsu", "password": PASSWORD});
    assert_eq!(
        env.post("/join", &other).await.is(201).json()["userId"],
        FIRST_ASSIGNED_ID + 1
    );
}

#[tokio::test]
async fn logging_in_gives_tokens_and_a_cookie_that_scripts_cannot_read() {
    let env = TestEnv::new().await;
    env.user("minsu").await;
    let body = json!({"username": "minsu", "password": PASSWORD});
    let answer = env.post("/login", &body).await.is(200);
    let tokens = answer.json();
    assert_eq!(tokens["expiresIn"], 600);
    let cookie = answer.header("Set-Cookie").unwrap();
    assert!(
        cookie.starts_with(&format!("refreshToken={}; ", refresh(&tokens))),
        "{cookie}"
    );
    for part in [
        "HttpOnly",
        "SameSite=Strict",
        "Secure",
        "Path=/",
        "Max-Age=86400",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    for (username, password) in [
        ("minsu", "wrong horse"),
        ("unknown", PASSWORD),
        ("minsu", "x"),
    ] {
        let body = json!({"username": username, "password": password});
        let rejected = env.post("/login", &body).await;
        rejected.is_problem(401, "wrong-credentials");
        assert_eq!(rejected.header("Set-Cookie"), None);
    }
}

#[tokio::test]
async fn a_refresh_token_is_rotated_and_a_stolen_one_ends_the_family() {
    let env = TestEnv::new().await;
    env.user("minsu").await;
    let first = env.login("minsu").await;
    let elsewhere = env.login("minsu").await;
    let second = reissue(&env, refresh(&first)).await.is(200).json();
    assert_ne!(refresh(&second), refresh(&first));
    let list = env
        .request("GET", "/videos", second["accessToken"].as_str().unwrap())
        .await;
    list.is(200);
    // Two browser tabs of one user renew the token within the grace period.
    env.clock.advance_ms(10_000);
    let tab = reissue(&env, refresh(&first)).await.is(200).json();
    // A reuse after the grace period revokes the family.
    env.clock.advance_ms(1_000);
    reissue(&env, refresh(&first))
        .await
        .is_problem(401, "refresh-token-reused");
    for revoked in [&second, &tab] {
        reissue(&env, refresh(revoked))
            .await
            .is_problem(401, "refresh-token-invalid");
    }
    reissue(&env, refresh(&elsewhere)).await.is(200);
}

#[tokio::test]
async fn the_body_has_precedence_over_the_cookie() {
    let env = TestEnv::new().await;
    env.user("minsu").await;
    let tokens = env.login("minsu").await;
    let cookie = format!("other=1; refreshToken={}", refresh(&tokens));
    let next = env
        .send(TestRequest::new("POST", "/reissue").header("Cookie", &cookie))
        .await
        .is(200);
    let body = json!({"refreshToken": refresh(&next.json())});
    let both = TestRequest::new("POST", "/reissue")
        .header("Cookie", "refreshToken=none")
        .json(&body);
    env.send(both).await.is(200);
}

#[tokio::test]
async fn a_refresh_token_expires_after_a_day() {
    let env = TestEnv::new().await;
    env.user("minsu").await;
    let tokens = env.login("minsu").await;
    let late = env.login("minsu").await;
    env.clock.advance_ms(86_399_000);
    reissue(&env, refresh(&tokens)).await.is(200);
    env.clock.advance_ms(1_000);
    reissue(&env, refresh(&late))
        .await
        .is_problem(401, "refresh-token-invalid");
}

#[tokio::test]
async fn logging_out_ends_the_family_and_deletes_the_cookie() {
    let env = TestEnv::new().await;
    env.user("minsu").await;
    let tokens = env.login("minsu").await;
    let body = json!({"refreshToken": refresh(&tokens)});
    let answer = env.post("/logout", &body).await.is(204);
    assert!(answer.header("Set-Cookie").unwrap().contains("Max-Age=0"));
    assert!(answer.text.is_empty());
    reissue(&env, refresh(&tokens))
        .await
        .is_problem(401, "refresh-token-invalid");
    env.post("/logout", &body).await.is(204);
    env.send(TestRequest::new("POST", "/logout")).await.is(204);
    env.post("/logout", &json!({"refreshToken": "nonsense"}))
        .await
        .is(204);
}

#[tokio::test]
async fn invalid_refresh_tokens_are_rejected() {
    let env = TestEnv::new().await;
    let (_, access) = env.user("minsu").await;
    env.send(TestRequest::new("POST", "/reissue"))
        .await
        .is_problem(401, "refresh-token-invalid");
    for token in ["", "x", &access, &"A".repeat(43), &"x".repeat(10_000)] {
        reissue(&env, token)
            .await
            .is_problem(401, "refresh-token-invalid");
    }
}

#[tokio::test]
async fn attempts_are_limited_by_account_and_by_address() {
    let limits = Limits {
        account_per_minute: 3.try_into().unwrap(),
        address_per_minute: 5.try_into().unwrap(),
    };
    let env = TestEnv::with(limits, None).await;
    let attempt = async |path: &str, username: &str, address: &str| {
        let body = json!({"username": username, "password": "a guess of mine"});
        env.send(
            TestRequest::new("POST", path)
                .header("X-Forwarded-For", address)
                .json(&body),
        )
        .await
    };
    attempt("/join", "minsu", "192.0.2.1").await.is(201);
    attempt("/login", "minsu", "192.0.2.2").await.is(200);
    attempt("/login", "minsu", "192.0.2.3").await.is(200);
    let rejected = attempt("/login", "minsu", "192.0.2.4").await;
    rejected.is_problem(429, "too-many-attempts");
    for name in ["a", "b", "c", "d", "e"] {
        attempt("/login", name, "198.51.100.1").await.is(401);
    }
    let rejected = attempt("/login", "f", "198.51.100.1").await;
    rejected.is_problem(429, "too-many-attempts");
    let rejected = attempt("/join", "g", "198.51.100.1").await;
    rejected.is_problem(429, "too-many-attempts");
    // An address that the client puts into the header is ignored.
    let forged = attempt("/login", "f", "203.0.113.9, 198.51.100.1").await;
    forged.is_problem(429, "too-many-attempts");
    env.clock.advance_ms(61_000);
    attempt("/login", "minsu", "192.0.2.4").await.is(200);
}

#[tokio::test]
async fn tokens_of_before_a_restore_are_rejected() {
    let env = TestEnv::new().await;
    let before = env.user("minsu").await.1;
    let tokens = env.login("minsu").await;
    let restored = || {
        env.store
            .complete_restore(HighestIds::default(), &Actor::Console)
    };
    let mut generations = vec![env.store.generation().get()];
    for _ in 0..2 {
        let restored = restored().await.unwrap();
        assert!(!generations.contains(&restored.generation));
        generations.push(restored.generation);
        env.request("GET", "/videos", &before)
            .await
            .is_problem(401, "token-outdated");
        reissue(&env, refresh(&tokens))
            .await
            .is_problem(401, "refresh-token-invalid");
        let tokens = env.login("minsu").await;
        let access = tokens["accessToken"].as_str().unwrap();
        env.request("GET", "/videos", access).await.is(200);
        let renewed = reissue(&env, refresh(&tokens)).await.is(200).json();
        env.request("GET", "/videos", renewed["accessToken"].as_str().unwrap())
            .await
            .is(200);
    }
}

#[tokio::test]
async fn nothing_is_registered_or_played_while_the_database_is_behind_its_stream() {
    let stream = FakeStream::with_waiting(Some(vec![0]));
    let env = TestEnv::with_stream(UNLIMITED, None, Some(Arc::<FakeStream>::clone(&stream))).await;
    let (user, token) = env.user("minsu").await;
    let creator = env.user("creator").await.1;
    let video = env.video(&creator, "a film", 60).await;
    let (store, port) = (&env.store, stream.as_ref());
    check_ids_at_start(store, port).await.unwrap();
    let assigned = HighestIds {
        user: user + 1,
        video,
    };
    assert_eq!(
        port.highest_ids().await.unwrap(),
        assigned,
        "they are recorded"
    );
    let status = async |name: &str| {
        let body = json!({"username": name, "password": PASSWORD});
        let joined = env.post("/join", &body).await.status;
        let body = json!({"title": name, "duration": 60});
        let created = env.send(
            TestRequest::new("POST", "/videos")
                .token(&creator)
                .json(&body),
        );
        let created = created.await.status;
        env.clock.advance_ms(30_000);
        let play = TestRequest::new("POST", &format!("/videos/{video}/play"));
        let played = env.send(play.token(&token)).await.status;
        let ready = env.send(TestRequest::new("GET", "/health/ready")).await;
        [joined, created, played, ready.status]
    };
    assert_eq!(status("one").await, [201, 201, 200, 200]);

    // Not an id alone, but an older database: the stream has seen what it has not assigned.
    let seen = HighestIds {
        video: video + 2,
        ..assigned
    };
    stream.set_highest(Ok(seen));
    let behind = check_ids(store, port).await.unwrap_err();
    assert!(matches!(behind, RestoreError::Behind { .. }), "{behind}");
    for number in [seen.video, video + 1] {
        assert!(behind.to_string().contains(&number.to_string()), "{behind}");
    }
    assert_eq!(status("two").await, [503; 4]);
    // An outage of the stream changes nothing, also at a start.
    stream.set_highest(Err("unavailable"));
    check_ids(store, port).await.unwrap_err();
    assert_eq!(status("three").await, [503; 4]);
    stream.set_highest(Ok(seen));
    let completed = complete(store, port, &[], &Actor::Console, &mut |_, _| {}).await;
    assert!(completed.unwrap().completed.next.video > seen.video);
    check_ids(store, port).await.unwrap();
    let token = env.login("minsu").await["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    env.request("GET", "/videos", &token).await.is(200);

    stream.set_highest(Err("unavailable"));
    check_ids_at_start(store, port).await.unwrap();
    let body = json!({"username": "four", "password": PASSWORD});
    env.post("/join", &body)
        .await
        .is_problem(503, "store-unavailable");
    stream.set_highest(Ok(seen));
    check_ids(store, port).await.unwrap();
    env.post("/join", &body).await.is(201);
    // A later outage does not stop registrations.
    stream.set_highest(Err("unavailable"));
    check_ids(store, port).await.unwrap_err();
    let body = json!({"username": "five", "password": PASSWORD});
    env.post("/join", &body).await.is(201);
}
