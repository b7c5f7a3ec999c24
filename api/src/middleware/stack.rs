//! The middleware of every request: request id, admission, time limit, body limit, headers, log.

use crate::{
    errors::{
        framework,
        problem::{ApiError, Code},
    },
    extract::{body::MAX_BODY, idempotency},
    middleware::{
        cors::Origins,
        methods::Methods,
        request_id::{self, RequestId},
    },
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

/// The maximum number of concurrent requests. Further requests are rejected with 503.
const MAX_REQUESTS: usize = 4_096;
/// The time limit of a request, including the arrival of its body. It exceeds that of any call to
/// a store.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The maximum number of characters of a parameter's name that an error repeats.
const MAX_NAME_CHARS: usize = 64;

/// Headers that are added to each response unless the handler set them.
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

/// Admits, identifies and logs requests, and renders every error as a problem.
pub(crate) struct Middleware<E> {
    inner: E,
    methods: Methods,
    permits: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    origins: Origins,
}

impl<E: Endpoint> Middleware<E> {
    pub(crate) fn around(inner: E, methods: Methods, metrics: Arc<Metrics>) -> Self {
        Self {
            inner,
            methods,
            metrics,
            permits: Arc::new(Semaphore::new(MAX_REQUESTS)),
            origins: Origins::default(),
        }
    }

    /// Allows the pages of these origins to call the API.
    pub(crate) fn with_origins(self, origins: Origins) -> Self {
        Self { origins, ..self }
    }

    /// Handles preflights, admits the request and applies the time limit.
    async fn admit(&self, request: Request) -> Result<Response, ApiError> {
        if let Some(response) = self.origins.preflight(&request) {
            return Ok(response);
        }
        let Ok(_permit) = self.permits.try_acquire() else {
            let detail = "The server has reached its limit of concurrent requests.";
            return Err(ApiError::new(Code::Overloaded, detail));
        };
        let served = AssertUnwindSafe(self.serve(request)).catch_unwind();
        match timeout(TIME_LIMIT, served).await {
            Ok(Ok(response)) => response.map_err(framework::error),
            // The panic hook has logged the message and the location.
            Ok(Err(_)) => Err(ApiError::internal("the handler panicked")),
            Err(_) => Err(ApiError::new(
                Code::TimedOut,
                format!("The request took longer than {} s.", TIME_LIMIT.as_secs()),
            )),
        }
    }

    /// Checks the request, buffers its body and calls the handler.
    async fn serve(&self, mut request: Request) -> Result<Response> {
        if request.method() == Method::HEAD && self.methods.has_no_head(request.uri().path()) {
            let detail = "This GET launches a job, so HEAD is not allowed.";
            return Err(ApiError::new(Code::MethodNotAllowed, detail).into());
        }
        idempotency::check(&request)?;
        check_query(request.uri().query().unwrap_or_default())?;
        // Buffered before the handler runs, so that a body over the limit is always a 413.
        let body = request.take_body().into_bytes_limit(MAX_BODY).await?;
        request.set_body(Body::from_bytes(body));
        Ok(self.inner.call(request).await?.into_response())
    }
}

impl<E: Endpoint> Endpoint for Middleware<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let started = Instant::now();
        let request_id = RequestId::of(&request);
        let RequestId(id) = request_id.clone();
        request.set_data(request_id);
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
            trace::set_parent(&span, &parent);
        }
        let result = self.admit(request).instrument(span.clone()).await;
        let mut response = match result {
            Ok(response) => response,
            Err(error) => {
                log_error(&error, &operation, &id);
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
        self.origins.add_headers(origin, headers);
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(request_id::HEADER, id);
        }
        let elapsed = started.elapsed();
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        span.record("http.response.status_code", status);
        if response.status().is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        self.metrics.record_request(&operation, status, elapsed);
        tracing::info!(
            %method,
            path,
            %operation,
            status,
            elapsed_ms,
            request_id = id,
            "served request"
        );
        Ok(response)
    }
}

/// Rejects a query parameter that is repeated. The framework would ignore one of the values.
fn check_query(query: &str) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        if !seen.insert(name) {
            let name: String = name.chars().take(MAX_NAME_CHARS).collect();
            return Err(ApiError::field(name, "must be given once"));
        }
    }
    Ok(())
}

/// Returns the parent span in the client's trace, from the header `traceparent`.
fn trace_parent(request: &Request) -> Option<TraceParent> {
    let given = request.headers().get("traceparent")?;
    TraceParent::parse(given.to_str().ok()?)
}

/// Logs server errors and reused refresh tokens. Other client errors are not logged.
fn log_error(error: &ApiError, operation: &str, request_id: &str) {
    let code = error.code.name();
    let cause = error.cause.as_deref().unwrap_or(&error.detail);
    match error.code {
        Code::Internal => tracing::error!(request_id, operation, code, cause, "request failed"),
        _ if error.code.status().is_server_error() => {
            tracing::warn!(request_id, operation, code, cause, "request was rejected");
        }
        // A sign that the token was stolen.
        Code::RefreshTokenReused => {
            tracing::warn!(
                request_id,
                operation,
                code,
                cause,
                "revoked all refresh tokens of a login"
            )
        }
        _ => {}
    }
}
