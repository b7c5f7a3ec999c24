//! Bad input: wrong types, ranges, lengths and encodings are rejected with the name of the field.

use crate::env::{PASSWORD, TestEnv, TestRequest};
use serde_json::{Value, json};

/// Returns bodies that are invalid for every operation, and the reported field.
fn broken_bodies() -> Vec<(Vec<u8>, &'static str)> {
    let deep = [b"[".repeat(20_000), b"]".repeat(20_000)].concat();
    vec![
        (b"{".to_vec(), "body"),
        (b"[]".to_vec(), "body"),
        (b"\"text\"".to_vec(), "body"),
        (b"null".to_vec(), "body"),
        (b"\xff\xfe{\x00}\x00".to_vec(), "body"),
        (deep, "body"),
        (br#"{"unknown": 1}"#.to_vec(), "unknown"),
    ]
}

#[tokio::test]
async fn bodies_are_rejected_with_the_wrong_field() {
    let env = TestEnv::new().await;
    let (_, user) = env.user("minsu").await;
    let admin = env.admin("boss").await;
    let credentials =
        |username: Value, password: Value| json!({"username": username, "password": password});
    let video = |title: Value, duration: Value| json!({"title": title, "duration": duration});
    let long = "x".repeat(300);
    let mut wrong: Vec<(&str, Value, &str)> = Vec::new();
    for path in ["/join", "/login"] {
        wrong.extend([
            (path, json!({"username": "minsu"}), "password"),
            (path, json!({"password": PASSWORD}), "username"),
            (path, credentials(json!(5), json!(PASSWORD)), "username"),
            (path, credentials(json!(null), json!(PASSWORD)), "username"),
            (path, credentials(json!(["a"]), json!(PASSWORD)), "username"),
            (path, credentials(json!("a"), json!(12_345_678)), "password"),
            (path, credentials(json!(""), json!(PASSWORD)), "username"),
            (path, credentials(json!(long), json!(PASSWORD)), "username"),
            (path, credentials(json!("a b"), json!(PASSWORD)), "username"),
            (
                path,
                credentials(json!("a\u{0}"), json!(PASSWORD)),
                "username",
            ),
            (
                path,
                credentials(json!("a\u{202e}b"), json!(PASSWORD)),
                "username",
            ),
            (path, credentials(json!("a"), json!(long)), "password"),
            (
                path,
                json!({"username": "a", "password": PASSWORD, "role": "ADMIN"}),
                "role",
            ),
        ]);
    }
    wrong.extend([
        (
            "/join",
            credentials(json!("a"), json!("1234567")),
            "password",
        ),
        (
            "/join",
            credentials(json!("user-7"), json!(PASSWORD)),
            "username",
        ),
        (
            "/join",
            credentials(json!("creator-12"), json!(PASSWORD)),
            "username",
        ),
        ("/reissue", json!({"refreshToken": 5}), "refreshToken"),
        ("/reissue", json!({"refresh": "x"}), "refresh"),
        ("/logout", json!({"refreshToken": null}), "refreshToken"),
        ("/videos", json!({"duration": 60}), "title"),
        ("/videos", json!({"title": "a"}), "duration"),
        ("/videos", video(json!(1), json!(60)), "title"),
        ("/videos", video(json!(""), json!(60)), "title"),
        ("/videos", video(json!(" \u{3000}"), json!(60)), "title"),
        ("/videos", video(json!("a\u{0}b"), json!(60)), "title"),
        ("/videos", video(json!("a\nb"), json!(60)), "title"),
        ("/videos", video(json!("x".repeat(201)), json!(60)), "title"),
        ("/videos", video(json!("a"), json!("60")), "duration"),
        ("/videos", video(json!("a"), json!(0)), "duration"),
        ("/videos", video(json!("a"), json!(-1)), "duration"),
        ("/videos", video(json!("a"), json!(86_401)), "duration"),
        ("/videos", video(json!("a"), json!(1.5)), "duration"),
        ("/videos", video(json!("a"), json!(1e30)), "duration"),
        ("/videos", video(json!("a"), json!(true)), "duration"),
        (
            "/videos",
            json!({"title": "a", "duration": 60, "ownerId": 1}),
            "ownerId",
        ),
        ("/ads", json!({"title": ["a"]}), "title"),
        ("/ads", json!({"title": ""}), "title"),
        ("/ads", json!({}), "title"),
    ]);
    let token = |path: &str| match path {
        "/videos" => user.clone(),
        "/ads" => admin.clone(),
        _ => String::new(),
    };
    for (path, body, field) in wrong {
        let request = TestRequest::new("POST", path)
            .token(&token(path))
            .json(&body);
        env.send(request).await.rejects_field(field);
    }
    for path in ["/join", "/login", "/reissue", "/logout", "/videos", "/ads"] {
        for (body, field) in broken_bodies() {
            let request = TestRequest::new("POST", path)
                .token(&token(path))
                .text(&body);
            env.send(request).await.rejects_field(field);
        }
        // The limit of the body also limits texts that have no limit of their own.
        let large = TestRequest::new("POST", path)
            .token(&token(path))
            .text(b" ".repeat(65_537));
        env.send(large).await.is_problem(413, "body-too-large");
    }
    let page = env.request("GET", "/videos", &user).await.is(200).json();
    assert_eq!(page["items"], json!([]), "rejected requests leave no row");
}

#[tokio::test]
async fn parameters_are_rejected_by_name() {
    let env = TestEnv::new().await;
    let (_, user) = env.user("minsu").await;
    let admin = env.admin("boss").await;
    env.video(&user, "a film", 600).await;
    let huge = "9".repeat(30);
    for (method, path, field) in [
        ("GET", "/videos/abc", "id"),
        ("GET", "/videos/0", "id"),
        ("GET", "/videos/-1", "id"),
        ("GET", "/videos/1.5", "id"),
        ("GET", "/videos/%ff", "id"),
        ("GET", "/videos/1%00", "id"),
        ("GET", &format!("/videos/{huge}"), "id"),
        ("POST", "/videos/x/play", "id"),
        ("POST", "/videos/0/pause?currentPlayedAt=1", "id"),
        ("POST", "/videos/8000000000000001/play?userId=x", "userId"),
        ("POST", "/videos/8000000000000001/pause", "currentPlayedAt"),
        (
            "POST",
            "/videos/8000000000000001/pause?currentPlayedAt=",
            "currentPlayedAt",
        ),
        (
            "POST",
            "/videos/8000000000000001/pause?currentPlayedAt=x",
            "currentPlayedAt",
        ),
        (
            "POST",
            "/videos/8000000000000001/pause?currentPlayedAt=-1",
            "currentPlayedAt",
        ),
        (
            "POST",
            "/videos/8000000000000001/pause?currentPlayedAt=601",
            "currentPlayedAt",
        ),
        (
            "POST",
            "/videos/8000000000000001/pause?currentPlayedAt=1.5",
            "currentPlayedAt",
        ),
        (
            "POST",
            &format!("/videos/8000000000000001/pause?currentPlayedAt={huge}"),
            "currentPlayedAt",
        ),
        (
            "POST",
            "/videos/8000000000000001/pause?currentPlayedAt=1&userId=x",
            "userId",
        ),
        ("GET", "/videos?ownerId=x", "ownerId"),
        ("GET", "/videos?ownerId=0", "ownerId"),
        ("GET", "/videos?sort=up", "sort"),
        ("GET", "/videos?limit=0", "limit"),
        ("GET", "/videos?limit=101", "limit"),
        ("GET", "/videos?limit=x", "limit"),
        ("GET", "/videos?title=", "title"),
        (
            "GET",
            &format!("/videos?title={}", "x".repeat(201)),
            "title",
        ),
        ("GET", "/videos?cursor=nonsense", "cursor"),
        ("GET", "/videos?cursor=", "cursor"),
        (
            "GET",
            &format!("/videos?cursor={}", "x".repeat(3_000)),
            "cursor",
        ),
        // {"Oldest":1}, a cursor of another order.
        ("GET", "/videos?cursor=eyJPbGRlc3QiOjF9", "cursor"),
        ("GET", "/ads?limit=-1", "limit"),
        ("GET", "/ads?cursor=nonsense", "cursor"),
    ] {
        let token = if path.starts_with("/ads") {
            &admin
        } else {
            &user
        };
        env.request(method, path, token).await.rejects_field(field);
    }
}

#[tokio::test]
async fn keys_are_rejected_by_name() {
    let env = TestEnv::new().await;
    let (_, user) = env.user("minsu").await;
    env.video(&user, "a film", 600).await;
    for path in [
        "/videos/8000000000000001/play",
        "/videos/8000000000000001/pause?currentPlayedAt=1",
        "/videos",
    ] {
        let request = || {
            TestRequest::new("POST", path)
                .token(&user)
                .json(&json!({"title": "a", "duration": 1}))
        };
        for key in [
            &b""[..],
            b"a b",
            b"a\tb",
            "열쇠".as_bytes(),
            &b"x".repeat(129),
        ] {
            env.send(request().header("Idempotency-Key", key))
                .await
                .rejects_field("Idempotency-Key");
        }
        let twice = request()
            .header("Idempotency-Key", "a")
            .header("Idempotency-Key", "b");
        env.send(twice).await.rejects_field("Idempotency-Key");
    }
}

#[tokio::test]
async fn unknown_videos_are_not_found() {
    let env = TestEnv::new().await;
    let (_, user) = env.user("minsu").await;
    for (method, path) in [
        ("GET", "/videos/999"),
        ("POST", "/videos/999/play"),
        (
            "POST",
            "/videos/9223372036854775807/pause?currentPlayedAt=1",
        ),
    ] {
        env.request(method, path, &user)
            .await
            .is_problem(404, "no-such-video");
    }
}
