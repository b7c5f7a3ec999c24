//! The document, and the page that shows it.

use crate::env::{Ask, TestEnv};

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let env = TestEnv::new().await;
    let page = env.send(Ask::new("GET", "/docs")).await.is(200);
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
    for elsewhere in ["src=\"http", "href=\"http", "url(http", "@import"] {
        assert!(!page.text.contains(elsewhere), "{elsewhere}");
    }
}

#[tokio::test]
async fn the_document_is_the_one_that_can_be_printed() {
    let env = TestEnv::new().await;
    let served = env.send(Ask::new("GET", "/openapi.json")).await.is(200);
    let printed: serde_json::Value = serde_json::from_str(&balance_api::document()).unwrap();
    assert_eq!(served.json(), printed);
}
