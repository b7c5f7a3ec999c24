//! The environment of an API test: a fresh database, a test clock, and requests to the API.

use balance_api::{Api, Limits, Origins, Secrets};
use balance_domain::{
    accounts::{Password, Role, Username},
    calendar::BusinessTimezone,
    clock::Clock,
};
use balance_service::{
    accounts::Accounts,
    events::stream::EventStream,
    jobs::launcher::Launcher,
    playback::{EmbeddedIntake, Playback, intake::Intake},
};
use balance_store::{
    Store,
    operations::Actor,
    playback::{Lifetimes, RulesChange},
};
use balance_test_support::TestClock;
use balance_worker::queue::{MemoryNotifier, NotificationBackend};
use poem::{
    Endpoint, Request,
    endpoint::BoxEndpoint,
    http::{HeaderMap, Method, StatusCode},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::watch;

/// Monday, 2026-03-02, at noon in Seoul.
const START_MICROS: i64 = 1_772_420_400_000_000;
pub(crate) const SECRET: &str = "test-secret-0123456789-abcdefghijklm";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const LIFETIMES: Lifetimes = Lifetimes {
    resume_ttl_s: 2_592_000,
    replay_s: 86_400,
};
/// Limits that no test reaches.
pub(crate) const UNLIMITED: Limits = Limits {
    account_per_minute: std::num::NonZeroU32::MAX,
    address_per_minute: std::num::NonZeroU32::MAX,
};

/// The response to a request.
#[derive(Debug, Clone)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl TestResponse {
    /// Returns the status as a number.
    pub(crate) fn code(&self) -> u16 {
        self.status.as_u16()
    }

    /// Parses the body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts the status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.code(), status, "{self:?}");
        self
    }

    /// Asserts a complete problem of this status and code without internal details, and returns it.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.code(), status, "{self:?}");
        let content_type = self.header("Content-Type").unwrap_or_default();
        assert!(
            content_type.starts_with("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["code"], code, "{self:?}");
        assert_eq!(problem["status"], status, "{self:?}");
        assert_eq!(problem["type"], format!("/docs/errors#{code}"));
        for field in ["title", "detail"] {
            assert!(!problem[field].as_str().unwrap().is_empty(), "{self:?}");
        }
        assert_eq!(
            problem["requestId"].as_str(),
            self.header("X-Request-Id"),
            "{self:?}"
        );
        assert_eq!(
            self.header("WWW-Authenticate").is_some(),
            status == 401,
            "{self:?}"
        );
        assert_eq!(
            self.header("Retry-After").is_some(),
            [429, 503].contains(&status),
            "{self:?}"
        );
        for detail in [
            "SELECT", "sqlx", "sqlite", "src/", ".rs", "panicked", "poem", "i64", "u32",
        ] {
            assert!(!self.text.contains(detail), "{detail}: {self:?}");
        }
        problem
    }

    /// Asserts that the request is rejected because of this field.
    #[track_caller]
    pub(crate) fn rejects_field(&self, field: &str) {
        let problem = self.is_problem(400, "invalid-request");
        assert_eq!(problem["errors"][0]["field"], field, "{self:?}");
        assert!(!problem["errors"][0]["reason"].as_str().unwrap().is_empty());
    }
}

/// A request.
pub(crate) struct TestRequest {
    method: Method,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl TestRequest {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets the access token.
    pub(crate) fn token(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Sets a JSON body.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(body.to_string())
    }

    /// Sets a body of any bytes, with the content type of JSON.
    pub(crate) fn text(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self.header("Content-Type", "application/json")
    }
}

/// An API, its database and its clock.
pub(crate) struct TestEnv {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) store: Arc<Store>,
    /// Launches jobs; its notifications reach no worker.
    pub(crate) launcher: Launcher,
    sql: Arc<Store>,
    api: BoxEndpoint<'static>,
    _folder: TempDir,
}

impl TestEnv {
    pub(crate) async fn new() -> Self {
        Self::with(UNLIMITED, None).await
    }

    /// Creates an environment with limits, and optionally with another intake than the embedded one.
    pub(crate) async fn with(limits: Limits, intake: Option<Arc<dyn Intake>>) -> Self {
        Self::with_stream(limits, intake, None).await
    }

    /// Creates an environment whose API allows cross-origin requests from these origins.
    pub(crate) async fn with_origins(origins: &str) -> Self {
        Self::build(UNLIMITED, None, None, Origins::parse(origins).unwrap()).await
    }

    /// Creates an environment with an event stream.
    pub(crate) async fn with_stream(
        limits: Limits,
        intake: Option<Arc<dyn Intake>>,
        stream: Option<Arc<dyn EventStream>>,
    ) -> Self {
        Self::build(limits, intake, stream, Origins::default()).await
    }

    async fn build(
        limits: Limits,
        intake: Option<Arc<dyn Intake>>,
        stream: Option<Arc<dyn EventStream>>,
        origins: Origins,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::at(START_MICROS);
        let path = folder.path().join("balance.db");
        let injected: Arc<dyn Clock> = Arc::<TestClock>::clone(&clock);
        let store = Store::open_sqlite(&path, 2, Arc::clone(&injected)).await;
        let sql = Arc::new(store.unwrap());
        sql.play_rules_or_insert(&RulesChange::default())
            .await
            .unwrap();
        let store: Arc<Store> = Arc::<Store>::clone(&sql);
        let zone: BusinessTimezone = "Asia/Seoul".parse().unwrap();
        let intake = intake.unwrap_or_else(|| {
            Arc::new(EmbeddedIntake::start(Arc::clone(&store), LIFETIMES, zone))
        });
        // No worker receives the notifications: launched jobs wait.
        let (queue, _) = MemoryNotifier::new();
        let launcher = Launcher {
            store: Arc::clone(&store),
            notifier: Arc::new(queue),
            clock: Arc::clone(&injected),
            timezone: zone,
            partitions: 2,
            actor: Actor::Console,
        };
        let api = Api {
            store: Arc::clone(&store),
            playback: Arc::new(Playback::new(
                intake,
                Arc::clone(&store),
                Arc::clone(&injected),
            )),
            launcher: launcher.clone(),
            secrets: Secrets::parse(SECRET).unwrap(),
            limits,
            proxies: 1,
            is_cookie_secure: true,
            origins,
            stream,
            worker: None,
        };
        Self {
            clock,
            store,
            launcher,
            sql,
            api: api.routes(watch::channel(false).1),
            _folder: folder,
        }
    }

    /// Returns a launcher, and the backend that delivers its notifications to a worker.
    pub(crate) fn launcher_with_backend(&self) -> (Launcher, NotificationBackend) {
        let (queue, backend) = MemoryNotifier::new();
        let launcher = Launcher {
            notifier: Arc::new(queue),
            ..self.launcher.clone()
        };
        (launcher, NotificationBackend::Embedded(backend))
    }

    /// Closes the database.
    pub(crate) async fn close_database(&self) {
        self.sql.close().await;
    }

    /// Sends a request.
    pub(crate) async fn send(&self, test_request: TestRequest) -> TestResponse {
        let mut request = Request::builder()
            .method(test_request.method)
            .uri_str(test_request.path);
        for (name, value) in test_request.headers {
            request = request.header(name.as_str(), value);
        }
        let response = self.api.get_response(request.body(test_request.body)).await;
        let status = response.status();
        let headers = response.headers().clone();
        let text = response.into_body().into_string().await.unwrap();
        TestResponse {
            status,
            headers,
            text,
        }
    }

    /// Sends a request with an access token and without a body.
    pub(crate) async fn request(&self, method: &str, path: &str, token: &str) -> TestResponse {
        self.send(TestRequest::new(method, path).token(token)).await
    }

    /// Posts JSON without an access token.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> TestResponse {
        self.send(TestRequest::new("POST", path).json(body)).await
    }

    /// Logs a user in; returns the tokens.
    pub(crate) async fn login(&self, username: &str) -> Value {
        let body = json!({"username": username, "password": PASSWORD});
        self.post("/login", &body).await.is(200).json()
    }

    /// Creates an account; returns its ID and an access token.
    pub(crate) async fn user(&self, username: &str) -> (i64, String) {
        let body = json!({"username": username, "password": PASSWORD});
        let joined = self.post("/join", &body).await.is(201).json();
        let token = self.login(username).await["accessToken"].clone();
        (
            joined["userId"].as_i64().unwrap(),
            token.as_str().unwrap().to_owned(),
        )
    }

    /// Creates an admin; returns an access token.
    pub(crate) async fn admin(&self, username: &str) -> String {
        let accounts = Accounts::new(Arc::clone(&self.store));
        let name = Username::parse(username).unwrap();
        let password = Password::new(PASSWORD).unwrap();
        accounts.create(&name, password, Role::Admin).await.unwrap();
        let token = self.login(username).await["accessToken"].clone();
        token.as_str().unwrap().to_owned()
    }

    /// Registers a video; returns its ID.
    pub(crate) async fn video(&self, token: &str, title: &str, duration_s: i64) -> i64 {
        let body = json!({"title": title, "duration": duration_s});
        let request = TestRequest::new("POST", "/videos").token(token).json(&body);
        self.send(request).await.is(201).json()["videoId"]
            .as_i64()
            .unwrap()
    }
}
