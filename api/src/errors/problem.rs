//! Problems as clients read them (RFC 9457), and the faults that they are made from.

use poem::{Body, IntoResponse, Response, error::ResponseError, http::StatusCode};
use poem_openapi::{
    Object,
    types::{Example, ToJSON},
};
use std::borrow::Cow;

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json; charset=utf-8";

/// Why a request was refused.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase", example)]
pub(crate) struct Problem {
    /// A name of the kind of problem that never changes: `urn:balance:problem:` and the code.
    #[oai(rename = "type")]
    pub(crate) kind: String,
    /// What the kind of problem is.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// A name for programs, one for each kind.
    pub(crate) code: String,
    /// What is wrong with this request.
    pub(crate) detail: String,
    /// The fields that are wrong, where some are.
    #[oai(default, skip_serializing_if_is_empty)]
    pub(crate) errors: Vec<FieldError>,
    /// The request's id, also in the header `X-Request-Id`: what to name when asking for help.
    pub(crate) request_id: String,
}

impl Example for Problem {
    fn example() -> Self {
        let error = ApiError::field("duration", "must be at least 1");
        error.problem("01976f3e-4f00-7c3a-9b1d-2e4f6a8c0b1d")
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub(crate) struct FieldError {
    /// The field, parameter or header.
    pub(crate) field: String,
    /// Why it is refused.
    pub(crate) reason: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $status:ident, $code:literal, $title:literal;)+) => {
        /// The kinds of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($(#[$doc])* $variant),+ }

        impl Code {
            /// All of them, in the order of their statuses.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),+];

            /// The HTTP status.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// Its name for programs. It never changes.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// What it is.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

codes! {
    InvalidRequest = BAD_REQUEST, "invalid-request", "The request is not valid";
    TokenMissing = UNAUTHORIZED, "token-missing", "An access token is needed";
    TokenInvalid = UNAUTHORIZED, "token-invalid", "The access token is not valid";
    TokenExpired = UNAUTHORIZED, "token-expired", "The access token has run out";
    WrongCredentials = UNAUTHORIZED, "wrong-credentials", "The username or the password is wrong";
    RefreshTokenInvalid = UNAUTHORIZED, "refresh-token-invalid", "The refresh token is not valid";
    /// Somebody else may have it.
    RefreshTokenReused = UNAUTHORIZED, "refresh-token-reused", "The refresh token was used before";
    AdminOnly = FORBIDDEN, "admin-only", "Only admins may do this";
    OtherUser = FORBIDDEN, "other-user", "This is for somebody else to do";
    NoSuchPath = NOT_FOUND, "no-such-path", "There is nothing at this path";
    NoSuchVideo = NOT_FOUND, "no-such-video", "There is no such video";
    NoSuchJob = NOT_FOUND, "no-such-job", "There is no such job";
    NoSuchExecution = NOT_FOUND, "no-such-job-execution", "There is no such execution";
    NoSuchStep = NOT_FOUND, "no-such-step-execution", "There is no such step execution";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed", "The path has no such method";
    UsernameTaken = CONFLICT, "username-taken", "The username is taken";
    NoOpenSession = CONFLICT, "no-open-session", "The video is not being played";
    KeyReused = CONFLICT, "idempotency-key-reused", "The Idempotency-Key named another request";
    AlreadyComplete = CONFLICT, "job-instance-already-complete", "The day is settled";
    AlreadyRunning = CONFLICT, "job-execution-already-running", "The day is being settled";
    UnknownExecution = CONFLICT, "job-restart", "Nobody knows how the execution ended";
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
    RatesRefused = UNPROCESSABLE_ENTITY, "rates-refused", "The rates cannot be as given";
    RepeatedView = TOO_MANY_REQUESTS, "repeated-view", "The video was played a moment ago";
    TooManyAttempts = TOO_MANY_REQUESTS, "too-many-attempts", "Too many attempts";
    Internal = INTERNAL_SERVER_ERROR, "internal-error", "Something went wrong on the server";
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "Too many requests at once";
    TimedOut = SERVICE_UNAVAILABLE, "timed-out", "The request took too long";
    Unavailable = SERVICE_UNAVAILABLE, "store-unavailable", "A store is unavailable";
    Backlog = SERVICE_UNAVAILABLE, "backlog-full", "More plays wait to be written down than may";
    NotReady = SERVICE_UNAVAILABLE, "not-ready", "The server cannot serve requests now";
}

/// Why a request fails: what its client is told, and what only the log is.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", .code.name())]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) errors: Vec<FieldError>,
    /// When it makes sense to try again, in seconds, 1 and up.
    pub(crate) retry_after_s: Option<u64>,
    /// For the log only: clients are never shown what is inside.
    pub(crate) cause: Option<String>,
}

/// When to try again after a store was away, in seconds.
const UNAVAILABLE_RETRY_S: u64 = 1;

impl ApiError {
    /// A fault of a kind.
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

    /// A field that is refused.
    pub(crate) fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        let (field, reason) = (field.into(), reason.into());
        let mut error = Self::new(Code::InvalidRequest, format!("{field}: {reason}"));
        error.errors.push(FieldError { field, reason });
        error
    }

    /// Something that must not happen.
    pub(crate) fn internal(cause: impl ToString) -> Self {
        Self::new(
            Code::Internal,
            "The request's id leads to the cause in the log.",
        )
        .caused_by(cause)
    }

    /// A store that is away for a moment.
    pub(crate) fn unavailable(what: &'static str, cause: impl ToString) -> Self {
        Self::new(Code::Unavailable, what).caused_by(cause)
    }

    /// The same, and when to try again.
    pub(crate) fn retry_after_s(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds.max(1));
        self
    }

    /// The same, with a cause for the log.
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

    /// What the client of a request reads.
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

    /// What a 401 asks for (RFC 6750).
    fn challenge(&self) -> Option<&'static str> {
        match self.code {
            Code::TokenInvalid | Code::TokenExpired => {
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
        // The edge knows the request's id, and answers in place of this.
        self.response("").into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_names_kind_field_and_request_and_hides_the_cause() {
        let response = ApiError::field("title", "must not be empty")
            .caused_by("innards")
            .response("r-1");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.content_type(), Some(PROBLEM_JSON));
        let text = response.into_body().into_string().await.unwrap();
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            problem,
            serde_json::json!({
                "type": "/docs/errors#invalid-request",
                "title": "The request is not valid",
                "status": 400,
                "code": "invalid-request",
                "detail": "title: must not be empty",
                "errors": [{"field": "title", "reason": "must not be empty"}],
                "requestId": "r-1",
            })
        );
    }

    #[test]
    fn a_401_says_what_it_asks_for_and_a_503_when_to_come_again() {
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
