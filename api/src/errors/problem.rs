//! API errors and their representation as problems (RFC 9457).

use poem::{Body, IntoResponse, Response, error::ResponseError, http::StatusCode};
use poem_openapi::{
    Object,
    types::{Example, ToJSON},
};
use std::borrow::Cow;

pub(crate) const PROBLEM_JSON: &str = "application/problem+json; charset=utf-8";

/// An error response (RFC 9457).
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", example)]
pub(crate) struct Problem {
    /// The URL of the documentation of the code, relative to this server: `/docs/errors#CODE`.
    #[oai(rename = "type")]
    pub(crate) kind: String,
    /// A summary of the code.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// The kind of problem, for programs. Codes never change.
    pub(crate) code: String,
    /// The cause in this request.
    pub(crate) detail: String,
    /// The invalid fields, if any.
    #[oai(default, skip_serializing_if_is_empty)]
    pub(crate) errors: Vec<FieldError>,
    /// The request's id, also in the header `X-Request-Id`. Include it in support requests.
    pub(crate) request_id: String,
}

impl Example for Problem {
    fn example() -> Self {
        let error = ApiError::field("duration", "must be at least 1");
        error.problem("01976f3e-4f00-7c3a-9b1d-2e4f6a8c0b1d")
    }
}

/// An invalid field.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub(crate) struct FieldError {
    /// The name of the field, parameter or header.
    pub(crate) field: String,
    /// The reason for the rejection.
    pub(crate) reason: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $status:ident, $code:literal, $title:literal;)+) => {
        /// The kind of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($(#[$doc])* $variant),+ }

        impl Code {
            /// All codes, ordered by status.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),+];

            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// Returns the name for programs, which never changes.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// Returns the human-readable summary.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

codes! {
    InvalidRequest = BAD_REQUEST, "invalid-request", "The request is invalid";
    TokenMissing = UNAUTHORIZED, "token-missing", "An access token is required";
    TokenInvalid = UNAUTHORIZED, "token-invalid", "The access token is invalid";
    TokenExpired = UNAUTHORIZED, "token-expired", "The access token has expired";
    TokenOutdated = UNAUTHORIZED, "token-outdated", "The access token is from before a restore";
    WrongCredentials = UNAUTHORIZED, "wrong-credentials", "The username or the password is wrong";
    RefreshTokenInvalid = UNAUTHORIZED, "refresh-token-invalid", "The refresh token is invalid";
    RefreshTokenReused = UNAUTHORIZED, "refresh-token-reused", "The refresh token was used before";
    AdminOnly = FORBIDDEN, "admin-only", "The operation is restricted to admins";
    OtherUser = FORBIDDEN, "other-user", "The request concerns data of another user";
    NoSuchPath = NOT_FOUND, "no-such-path", "The path does not exist";
    NoSuchVideo = NOT_FOUND, "no-such-video", "The video does not exist";
    NoSuchJob = NOT_FOUND, "no-such-job", "The job does not exist";
    NoSuchExecution = NOT_FOUND, "no-such-job-execution", "The job execution does not exist";
    NoSuchStep = NOT_FOUND, "no-such-step-execution", "The step execution does not exist";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed", "The path does not support the method";
    UsernameTaken = CONFLICT, "username-taken", "The username is taken";
    NoOpenSession = CONFLICT, "no-open-session", "The video is not being played";
    KeyReused = CONFLICT, "idempotency-key-reused", "The Idempotency-Key was used for another request";
    TooManyAds = CONFLICT, "too-many-ads", "The maximum number of ads is registered";
    PlayRulesChanged = CONFLICT, "play-rules-changed", "The rules of plays have changed";
    AlreadyComplete = CONFLICT, "job-instance-already-complete", "The day is settled";
    AlreadyRunning = CONFLICT, "job-execution-already-running", "An execution of the day is running";
    UnknownExecution = CONFLICT, "job-restart", "The outcome of the last execution is unknown";
    NotRestartable = CONFLICT, "not-restartable", "The execution cannot be restarted";
    NotRunning = CONFLICT, "job-execution-not-running", "The execution is not running";
    NotAbandonable = CONFLICT, "not-abandonable", "The execution cannot be abandoned";
    NotNewest = CONFLICT, "not-newest", "The day has a newer execution";
    NotRetryable = CONFLICT, "not-retryable", "The step execution cannot be retried";
    InstanceExists = CONFLICT, "job-instance-exists", "The day was launched before";
    DayNotOver = CONFLICT, "day-not-over", "The day is not over";
    EarlierDayUnsettled = CONFLICT, "earlier-day-unsettled", "An earlier day is not settled";
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body must be JSON";
    RatesRejected = UNPROCESSABLE_ENTITY, "rates-rejected", "The rates are not acceptable";
    RepeatedView = TOO_MANY_REQUESTS, "repeated-view", "The view was counted within the view window";
    TooManyViews = TOO_MANY_REQUESTS, "too-many-views", "The viewer has too many views";
    TooManyPauses = TOO_MANY_REQUESTS, "too-many-pauses", "The session has too many pauses";
    TooManyVideos = TOO_MANY_REQUESTS, "too-many-videos", "The account registered too many videos";
    TooManyAttempts = TOO_MANY_REQUESTS, "too-many-attempts", "Too many attempts to log in or to join";
    Internal = INTERNAL_SERVER_ERROR, "internal-error", "The server failed to process the request";
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "The server is overloaded";
    TimedOut = SERVICE_UNAVAILABLE, "timed-out", "The request timed out";
    Unavailable = SERVICE_UNAVAILABLE, "store-unavailable", "The database or the intake is unavailable";
    Backlog = SERVICE_UNAVAILABLE, "backlog-full", "Too many events wait for the event writers";
    NotReady = SERVICE_UNAVAILABLE, "not-ready", "The server is not ready to serve requests";
}

/// The error of a request: the part that the client receives, and the cause for the log.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", .code.name())]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) errors: Vec<FieldError>,
    /// The value of `Retry-After`, in seconds; at least 1.
    pub(crate) retry_after_s: Option<u64>,
    /// The cause for the log. Clients never receive it.
    pub(crate) cause: Option<String>,
}

/// The default `Retry-After` of 503, in seconds.
const UNAVAILABLE_RETRY_S: u64 = 1;

impl ApiError {
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let retry_after_s =
            (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(UNAVAILABLE_RETRY_S);
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_s,
            cause: None,
        }
    }

    /// Creates the error of an invalid field.
    pub(crate) fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        let (field, reason) = (field.into(), reason.into());
        let mut error = Self::new(Code::InvalidRequest, format!("{field}: {reason}"));
        error.errors.push(FieldError { field, reason });
        error
    }

    /// Creates the error of a defect or an unexpected state.
    pub(crate) fn internal(cause: impl ToString) -> Self {
        Self::new(Code::Internal, "The log has the cause under the requestId.").caused_by(cause)
    }

    /// Creates the error of an unavailable store.
    pub(crate) fn unavailable(detail: &'static str, cause: impl ToString) -> Self {
        Self::new(Code::Unavailable, detail).caused_by(cause)
    }

    /// Sets `Retry-After`, in seconds; at least 1.
    pub(crate) fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds.max(1));
        self
    }

    /// Sets `Retry-After` to milliseconds, rounded up to seconds; at least 1.
    pub(crate) fn retry_after_ms(self, ms: i64) -> Self {
        self.retry_after_s(ms.max(1).unsigned_abs().div_ceil(1_000))
    }

    /// Sets the cause for the log.
    pub(crate) fn caused_by(mut self, cause: impl ToString) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    fn problem(&self, request_id: &str) -> Problem {
        Problem {
            kind: format!("/docs/errors#{}", self.code.name()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            code: self.code.name().to_owned(),
            detail: self.detail.clone().into_owned(),
            errors: self.errors.clone(),
            request_id: request_id.to_owned(),
        }
    }

    /// Renders the error as the response to a request.
    pub(crate) fn response(&self, request_id: &str) -> Response {
        let status = self.code.status();
        let problem = self.problem(request_id);
        let mut response = Response::builder()
            .status(status)
            .content_type(PROBLEM_JSON);
        if let Some(seconds) = self.retry_after_s {
            response = response.header("Retry-After", seconds);
        }
        if let Some(challenge) = self.challenge() {
            response = response.header("WWW-Authenticate", challenge);
        }
        response.body(Body::from_string(problem.to_json_string()))
    }

    /// Returns the challenge of a 401 (RFC 6750).
    fn challenge(&self) -> Option<&'static str> {
        match self.code {
            Code::TokenInvalid | Code::TokenExpired | Code::TokenOutdated => {
                Some(r#"Bearer realm="balance", error="invalid_token""#)
            }
            code if code.status() == StatusCode::UNAUTHORIZED => Some(r#"Bearer realm="balance""#),
            _ => None,
        }
    }
}

impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        self.code.status()
    }

    fn as_response(&self) -> Response {
        // The middleware, which knows the request's id, renders the error instead.
        self.response("").into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_names_code_field_and_request_and_hides_the_cause() {
        let response = ApiError::field("title", "must not be empty")
            .caused_by("internals")
            .response("r-1");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.content_type(), Some(PROBLEM_JSON));
        let text = response.into_body().into_string().await.unwrap();
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            problem,
            serde_json::json!({
                "type": "/docs/errors#invalid-request",
                "title": "The request is invalid",
                "status": 400,
                "code": "invalid-request",
                "detail": "title: must not be empty",
                "errors": [{"field": "title", "reason": "must not be empty"}],
                "requestId": "r-1",
            })
        );
    }

    #[test]
    fn a_401_has_a_challenge_and_a_503_has_retry_after() {
        let header = |code: Code, name: &str| {
            let response = ApiError::new(code, "").response("");
            response.header(name).map(ToOwned::to_owned)
        };
        assert_eq!(
            header(Code::TokenMissing, "WWW-Authenticate").as_deref(),
            Some(r#"Bearer realm="balance""#)
        );
        assert!(
            header(Code::TokenExpired, "WWW-Authenticate")
                .unwrap()
                .contains("invalid_token")
        );
        assert_eq!(header(Code::NoSuchVideo, "WWW-Authenticate"), None);
        assert_eq!(
            header(Code::Unavailable, "Retry-After").as_deref(),
            Some("1")
        );
        assert_eq!(header(Code::Internal, "Retry-After"), None);
    }
}
