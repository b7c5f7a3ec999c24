//! The edge: what every request passes on its way in, and every response on its way out.

use crate::{
    errors::{
        framework,
        problem::{ApiError, Code},
    },
    extract::idempotency,
    middleware::{cors::Origins, methods::Methods},
    operations::metrics::Metrics,
};
use balance_batch::trace::TraceParent;
use balance_service::trace;
use futures_util::FutureExt;
use poem::{
    Body, Endpoint, IntoResponse, Request, Response, Result,
    http::{HeaderValue, Method, header::ALLOW},
};
use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tracing::{Instrument, field::Empty};
use uuid::Uuid;

/// The longest body, in bytes.
pub(crate) const MAX_BODY: usize = 65_536;
/// Requests that are served at a time; more are told to come again.
const MAX_REQUESTS: usize = 4_096;
/// How long a request may take, its body's arrival included. Longer than any call to a store.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The longest request id that is taken from a client, in characters.
const MAX_REQUEST_ID: usize = 128;
const REQUEST_ID: &str = "X-Request-Id";
/// The most characters of a parameter's name that are repeated to the client.
const MAX_NAMED: usize = 64;

/// A request's id.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Headers of every response that does not bring its own.
const HEADERS: [(&str, &str); 5] = [
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
];

/// Limits, names and logs requests, and turns every error into a problem.
pub(crate) struct Middleware<E> {
    inner: E,
    methods: Methods,
    turns: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    origins: Origins,
}

impl<E: Endpoint> Middleware<E> {
    pub(crate) fn around(inner: E, methods: Methods, metrics: Arc<Metrics>) -> Self {
        Self {
            inner,
            methods,
            metrics,
            turns: Arc::new(Semaphore::new(MAX_REQUESTS)),
            origins: Origins::default(),
        }
    }

    /// The same, open to the pages of these origins.
    pub(crate) fn open_to(self, origins: Origins) -> Self {
        Self { origins, ..self }
    }

    async fn answer(&self, request: Request) -> Result<Response, ApiError> {
        if let Some(answer) = self.origins.preflight(&request) {
            return Ok(answer);
        }
        let Ok(_turn) = self.turns.try_acquire() else {
            let detail = "The server has as many requests as it takes at a time.";
            return Err(ApiError::new(Code::Overloaded, detail));
        };
        let served = AssertUnwindSafe(self.serve(request)).catch_unwind();
        match timeout(TIME_LIMIT, served).await {
            Ok(Ok(answer)) => answer.map_err(framework::error),
            // The panic's message and place are in the log already.
            Ok(Err(_)) => Err(ApiError::internal("a panic")),
            Err(_) => Err(ApiError::new(
                Code::TimedOut,
                format!("A request may take {} s.", TIME_LIMIT.as_secs()),
            )),
        }
    }

    async fn serve(&self, mut request: Request) -> Result<Response> {
        if request.method() == Method::HEAD && self.methods.has_no_head(request.uri().path()) {
            let detail = "This GET does something; HEAD only looks.";
            return Err(ApiError::new(Code::MethodNotAllowed, detail).into());
        }
        idempotency::check(&request)?;
        check_query(request.uri().query().unwrap_or_default())?;
        // Read whole before anything else: a body beyond the limit is known for one only then.
        let body = request.take_body().into_bytes_limit(MAX_BODY).await?;
        request.set_body(Body::from_bytes(body));
        Ok(self.inner.call(request).await?.into_response())
    }
}

impl<E: Endpoint> Endpoint for Middleware<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let started = Instant::now();
        let id = request_id(&request);
        request.set_data(RequestId(id.clone()));
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let origin = self.origins.of(&request).cloned();
        let operation = self.methods.operation(&method, &path);
        let span = tracing::error_span!(
            "request",
            otel.kind = "server",
            otel.name = %operation,
            otel.status_code = Empty,
            http.request.method = %method,
            http.response.status_code = Empty,
            request_id = id,
        );
        if let Some(parent) = trace_parent(&request) {
            trace::follow(&span, &parent);
        }
        let answered = self.answer(request).instrument(span.clone()).await;
        let mut response = match answered {
            Ok(response) => response,
            Err(error) => {
                report(&error, &operation, &id);
                let mut response = error.response(&id);
                if error.code == Code::MethodNotAllowed
                    && let Some(allow) = self.methods.allowed(&path)
                {
                    response.headers_mut().insert(ALLOW, allow);
                }
                response
            }
        };
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            if !headers.contains_key(name) {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        self.origins.open(origin, headers);
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, id);
        }
        let elapsed = started.elapsed();
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        span.record("http.response.status_code", status);
        if response.status().is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        self.metrics.served(&operation, status, elapsed);
        tracing::info!(%method, path, %operation, status, elapsed_ms, request_id = id, "served");
        Ok(response)
    }
}

/// Refuses a parameter that is given twice: one of both would be left out, and nobody told.
fn check_query(query: &str) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        if !seen.insert(name) {
            let name: String = name.chars().take(MAX_NAMED).collect();
            return Err(ApiError::field(name, "must be given once"));
        }
    }
    Ok(())
}

/// Where the client stands in a trace of its own.
fn trace_parent(request: &Request) -> Option<TraceParent> {
    let given = request.headers().get("traceparent")?;
    TraceParent::parse(given.to_str().ok()?)
}

/// The client's own id of the request if it is fit for one, else a new one.
fn request_id(request: &Request) -> String {
    let is_fit = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    let given = request.headers().get(REQUEST_ID);
    let given = given.and_then(|id| id.to_str().ok()).filter(is_fit);
    given.map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned)
}

/// Logs a fault of the server; those of clients are their own affair.
fn report(error: &ApiError, operation: &str, request_id: &str) {
    let code = error.code.name();
    let cause = error.cause.as_deref().unwrap_or(&error.detail);
    match error.code {
        Code::Internal => tracing::error!(request_id, operation, code, cause, "a request failed"),
        _ if error.code.status().is_server_error() => {
            tracing::warn!(
                request_id,
                operation,
                code,
                cause,
                "a request was not served"
            );
        }
        // Somebody may have stolen it.
        Code::RefreshTokenReused => {
            tracing::warn!(
                request_id,
                operation,
                code,
                cause,
                "a family of tokens is revoked"
            )
        }
        _ => {}
    }
}
