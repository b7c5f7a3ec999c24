//! Conversion of the framework's errors, so that every error response is a problem.

use crate::{
    errors::problem::{ApiError, Code},
    extract::body::MAX_BODY,
};
use poem::{
    Error,
    error::{MethodNotAllowedError, NotFoundError, ParsePathError as MalformedPath, ReadBodyError},
    http::StatusCode,
};
use poem_openapi::error::{
    AuthorizationError, ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError,
};

/// Converts an error of the framework.
pub(crate) fn error(error: Error) -> ApiError {
    let error = match error.downcast::<ApiError>() {
        Ok(error) => return error,
        Err(error) => error,
    };
    if let Some(ParseParamError { name, reason }) = error.downcast_ref() {
        return ApiError::field(*name, readable(reason));
    }
    if let Some(ParsePathError { name, reason }) = error.downcast_ref() {
        // The framework numbers path parameters. Each path has at most one, and it is an id.
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
        let detail = "Send the header Authorization: Bearer <accessToken of /login>.";
        return ApiError::new(Code::TokenMissing, detail);
    }
    if let Some(error) = error.downcast_ref::<ContentTypeError>() {
        let detail = match error {
            ContentTypeError::NotSupported { .. } => "The Content-Type must be application/json.",
            ContentTypeError::ExpectContentType => {
                "The Content-Type is missing; it must be application/json."
            }
        };
        return ApiError::new(Code::UnsupportedMediaType, detail);
    }
    if error.is::<MalformedPath>() {
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
            "The header Allow lists the methods of the path.",
        );
    }
    match error.downcast_ref::<ReadBodyError>() {
        Some(ReadBodyError::PayloadTooLarge) => too_large(),
        Some(ReadBodyError::Utf8(_)) => ApiError::field("body", "must be UTF-8"),
        Some(ReadBodyError::Io(error)) => {
            ApiError::field("body", "ended before it was complete").caused_by(error)
        }
        Some(ReadBodyError::BodyHasBeenTaken) | None => unknown(&error),
    }
}

fn too_large() -> ApiError {
    ApiError::new(
        Code::BodyTooLarge,
        format!("A body has at most {MAX_BODY} bytes."),
    )
}

/// Rewrites the framework's reason, which names a Rust type or a validator with its bound.
fn readable(reason: &str) -> String {
    let reason = reason
        .split(" (occurred while parsing")
        .next()
        .unwrap_or(reason);
    if let Some(validator) = reason.strip_prefix("verification failed. ") {
        return violation(validator).unwrap_or_else(|| validator.to_owned());
    }
    if reason.contains("expects an input value") {
        return "is required".to_owned();
    }
    let kind = reason.split('"').nth(1).unwrap_or_default();
    if kind.starts_with("integer") {
        return "must be a whole number, within 64 bits".to_owned();
    }
    // The explanation follows the type's name.
    let explanation = reason.split_once("\": ").map_or(reason, |(_, text)| text);
    match explanation {
        "Expect a valid enumeration value." => "must be one of the values in /openapi.json",
        explanation => explanation,
    }
    .to_owned()
}

/// Describes a violated validator such as `minimum(1, exclusive: false)`.
fn violation(validator: &str) -> Option<String> {
    let (name, bound) = validator.split_once('(')?;
    if name == "pattern" {
        let pattern = bound.split('"').nth(1)?;
        return Some(format!("must match {pattern}"));
    }
    let bound = bound.trim_end_matches(')').split(',').next()?;
    let sentence = match name {
        "minimum" => format!("must be at least {bound}"),
        "maximum" => format!("must be at most {bound}"),
        "uniqueItems" => "must not repeat a value".to_owned(),
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
            ApiError::new(code, "The request is malformed.").caused_by(error)
        }
        _ => ApiError::internal(error),
    }
}
