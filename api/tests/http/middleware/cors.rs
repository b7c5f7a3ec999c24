//! Cross-origin requests.

use crate::env::{TestEnv, TestRequest, TestResponse};

const LISTED: &str = "https://app.example";
const OTHER: &str = "https://evil.example";

async fn env(origins: &str) -> TestEnv {
    TestEnv::with_origins(origins).await
}

fn allowed(answer: &TestResponse) -> Option<&str> {
    answer.header("Access-Control-Allow-Origin")
}

#[track_caller]
fn is_open_to(answer: &TestResponse, origin: &str) {
    assert_eq!(allowed(answer), Some(origin), "{answer:?}");
    let credentials = answer.header("Access-Control-Allow-Credentials");
    assert_eq!(credentials, Some("true"));
    let exposed = answer.header("Access-Control-Expose-Headers").unwrap();
    for header in [
        "X-Resume-At",
        "X-View-Counted",
        "X-Credited-Seconds",
        "X-Request-Id",
        "Retry-After",
        "Location",
        "ETag",
    ] {
        assert!(exposed.split(", ").any(|one| one == header), "{header}");
    }
}

#[track_caller]
fn is_closed(answer: &TestResponse) {
    let open = answer.headers.keys();
    let mut open = open.filter(|name| name.as_str().starts_with("access-control-"));
    assert_eq!(open.next(), None, "{answer:?}");
}

fn preflight(origin: &str, path: &str) -> TestRequest {
    TestRequest::new("OPTIONS", path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization")
}

#[tokio::test]
async fn a_listed_origin_reads_answers_and_problems_alike() {
    let env = env(&format!("http://localhost:3000,{LISTED}")).await;
    for path in ["/health/live", "/videos", "/nothing"] {
        let request = TestRequest::new("GET", path).header("Origin", LISTED);
        let answer = env.send(request).await;
        is_open_to(&answer, LISTED);
        assert_eq!(answer.header("Vary"), Some("Origin"));
        assert_eq!(answer.header("X-Frame-Options"), Some("DENY"));
    }
    let large = TestRequest::new("POST", "/join").header("Origin", LISTED);
    let answer = env.send(large.text("x".repeat(70_000))).await;
    answer.is_problem(413, "body-too-large");
    is_open_to(&answer, LISTED);
}

#[tokio::test]
async fn a_preflight_is_answered_for_a_listed_origin_only() {
    let env = env(LISTED).await;
    for path in ["/videos/1/play", "/nothing"] {
        let answer = env.send(preflight(LISTED, path)).await.is(204);
        is_open_to(&answer, LISTED);
        assert!(answer.text.is_empty());
        let methods = answer.header("Access-Control-Allow-Methods").unwrap();
        assert_eq!(methods, "GET, POST, PUT");
        let headers = answer.header("Access-Control-Allow-Headers").unwrap();
        for header in ["Authorization", "Content-Type", "Idempotency-Key"] {
            assert!(headers.contains(header), "{headers}");
        }
        assert_eq!(answer.header("Access-Control-Max-Age"), Some("600"));
        assert!(answer.header("X-Request-Id").is_some());
    }
    for origin in [OTHER, "null", "https://app.example.evil.example", ""] {
        let answer = env.send(preflight(origin, "/videos/1/play")).await;
        answer.is_problem(405, "method-not-allowed");
        is_closed(&answer);
    }
    // Without a requested method it is no preflight.
    let request = TestRequest::new("OPTIONS", "/videos").header("Origin", LISTED);
    let answer = env.send(request).await;
    answer.is_problem(405, "method-not-allowed");
}

#[tokio::test]
async fn other_origins_are_served_without_cors_headers() {
    let listed = env(LISTED).await;
    let none = TestEnv::new().await;
    for origin in [
        OTHER,
        "null",
        "https://app.example:8443",
        "http://app.example",
    ] {
        for env in [&listed, &none] {
            let request = TestRequest::new("GET", "/health/live").header("Origin", origin);
            is_closed(&env.send(request).await.is(200));
        }
    }
    let same = TestRequest::new("GET", "/health/live");
    assert_eq!(listed.send(same).await.header("Vary"), Some("Origin"));
    let request = TestRequest::new("GET", "/health/live").header("Origin", LISTED);
    is_closed(&none.send(request).await.is(200));
    let preflight = none.send(preflight(LISTED, "/videos")).await;
    preflight.is_problem(405, "method-not-allowed");
}
