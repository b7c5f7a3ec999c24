//! The OpenAPI document and the page that displays it.

use crate::env::{TestEnv, TestRequest};

#[tokio::test]
async fn the_page_loads_no_external_resources() {
    let env = TestEnv::new().await;
    let page = env.send(TestRequest::new("GET", "/docs")).await.is(200);
    assert_eq!(
        page.header("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!policy.contains("http"), "{policy}");
    assert!(page.text.contains("SwaggerUIBundle({"));
    assert!(
        page.text.contains("\"operationId\""),
        "the document is in the page"
    );
    for external in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(!page.text.contains(external), "{external}");
    }
}

#[tokio::test]
async fn the_served_document_is_the_printed_one() {
    let env = TestEnv::new().await;
    let served = env
        .send(TestRequest::new("GET", "/openapi.json"))
        .await
        .is(200);
    let printed: serde_json::Value = serde_json::from_str(&balance_api::document()).unwrap();
    assert_eq!(served.json(), printed);
}

#[tokio::test]
async fn the_page_of_the_errors_has_an_anchor_for_every_code() {
    let env = TestEnv::new().await;
    let page = env
        .send(TestRequest::new("GET", "/docs/errors"))
        .await
        .is(200);
    assert_eq!(
        page.header("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!policy.contains("script-src"), "{policy}");
    let document: serde_json::Value = serde_json::from_str(&balance_api::document()).unwrap();
    let description = document["info"]["description"].as_str().unwrap();
    let rows = description
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let codes: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    assert!(codes.len() > 30, "{codes:?}");
    for code in codes {
        let anchor = format!("<h2 id=\"{code}\">");
        assert_eq!(page.text.matches(&anchor).count(), 1, "{code}");
    }
    for link in page.text.split("href=\"").skip(1) {
        assert!(
            link.starts_with('#'),
            "the page links to another document: {link:.40}"
        );
    }
}
