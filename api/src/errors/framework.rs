//! The framework's own errors as faults: nothing but problems leaves the server.

use crate::errors::problem::{ApiError, Code};
use poem::{
    Error,
    error::{
        MethodNotAllowedError, NotFoundError, ParsePathError as UnreadablePath, ReadBodyError,
    },
    http::StatusCode,
};
use poem_openapi::error::{
    AuthorizationError, ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError,
};

/// The fault that an error stands for.
pub(crate) fn error(error: Error) -> ApiError {
    let error = match error.downcast::<ApiError>() {
        Ok(error) => return error,
        Err(error) => error,
    };
    if let Some(ParseParamError { name, reason }) = error.downcast_ref() {
        return ApiError::field(*name, readable(reason));
    }
    if let Some(ParsePathError { name, reason }) = error.downcast_ref() {
        // Path parameters are numbered; every path has one at most, and it is an id.
        let name = if name.starts_with("param") {
            "id"
        } else {
            name
        };
        return ApiError::field(name, readable(reason));
    }
    if let Some(ParseRequestPayloadError { reason }) = error.downcast_ref() {
        return ApiError::field("body", reason.clone());
    }
    if error.is::<AuthorizationError>() {
        let detail = "Send an access token: Authorization: Bearer <accessToken of /login>.";
        return ApiError::new(Code::TokenMissing, detail);
    }
    if let Some(error) = error.downcast_ref::<ContentTypeError>() {
        let detail = match error {
            ContentTypeError::NotSupported { .. } => "The Content-Type must be application/json.",
            ContentTypeError::ExpectContentType => {
                "There is no Content-Type; it must be application/json."
            }
        };
        return ApiError::new(Code::UnsupportedMediaType, detail);
    }
    if error.is::<UnreadablePath>() {
        return ApiError::field("id", "must be a whole number, within 64 bits");
    }
    if error.is::<NotFoundError>() {
        return ApiError::new(
            Code::NoSuchPath,
            "No operation has this path; see /openapi.json.",
        );
    }
    if error.is::<MethodNotAllowedError>() {
        return ApiError::new(
            Code::MethodNotAllowed,
            "See /openapi.json for the path's methods.",
        );
    }
    match error.downcast_ref::<ReadBodyError>() {
        Some(ReadBodyError::PayloadTooLarge) => too_large(),
        Some(ReadBodyError::Utf8(_)) => ApiError::field("body", "must be UTF-8"),
        Some(ReadBodyError::Io(error)) => {
            ApiError::field("body", "ended before it was whole").caused_by(error)
        }
        Some(ReadBodyError::BodyHasBeenTaken) | None => unknown(&error),
    }
}

/// A body beyond the limit.
pub(crate) fn too_large() -> ApiError {
    ApiError::new(
        Code::BodyTooLarge,
        format!(
            "A body has at most {} bytes.",
            crate::middleware::stack::MAX_BODY
        ),
    )
}

/// Parameters are refused with the name of a Rust type, or of a validator with its bound.
fn readable(reason: &str) -> String {
    let reason = reason
        .split(" (occurred while parsing")
        .next()
        .unwrap_or(reason);
    if let Some(broken) = reason.strip_prefix("verification failed. ") {
        return bound(broken).unwrap_or_else(|| broken.to_owned());
    }
    if reason.contains("expects an input value") {
        return "is needed".to_owned();
    }
    let kind = reason.split('"').nth(1).unwrap_or_default();
    if kind.starts_with("integer") {
        return "must be a whole number, within 64 bits".to_owned();
    }
    // What is left says what is wrong behind the type's name.
    let words = reason.split_once("\": ").map_or(reason, |(_, words)| words);
    match words {
        "Expect a valid enumeration value." => "must be one of those that the document names",
        words => words,
    }
    .to_owned()
}

/// A validator such as `minimum(1, exclusive: false)`, as a sentence.
fn bound(broken: &str) -> Option<String> {
    let (name, bound) = broken.split_once('(')?;
    if name == "pattern" {
        let pattern = bound.split('"').nth(1)?;
        return Some(format!("must match {pattern}"));
    }
    let bound = bound.trim_end_matches(')').split(',').next()?;
    let sentence = match name {
        "minimum" => format!("must be at least {bound}"),
        "maximum" => format!("must be at most {bound}"),
        "uniqueItems" => "must name each once".to_owned(),
        "minItems" => format!("must have at least {bound} items"),
        "maxItems" => format!("must have at most {bound} items"),
        "minLength" => format!("must have at least {bound} characters"),
        "maxLength" => format!("must have at most {bound} characters"),
        _ => return None,
    };
    Some(sentence)
}

fn unknown(error: &Error) -> ApiError {
    match error.status() {
        status if status.is_client_error() => {
            let code = match status {
                StatusCode::NOT_FOUND => Code::NoSuchPath,
                _ => Code::InvalidRequest,
            };
            ApiError::new(code, "The request cannot be read.").caused_by(error)
        }
        _ => ApiError::internal(error),
    }
}
