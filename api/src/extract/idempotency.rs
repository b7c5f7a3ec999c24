//! The header `Idempotency-Key`, with which clients repeat requests safely.

use crate::errors::problem::{ApiError, Code};
use balance_store::playback::{IdempotencyKey, MAX_KEY};
use poem::Request;

pub(crate) const HEADER: &str = "Idempotency-Key";

/// Rejects a request with two keys, or with a key that is not ASCII.
///
/// The framework would treat such a request as one without a key, and a repetition would take
/// effect again.
pub(crate) fn check(request: &Request) -> Result<(), ApiError> {
    let mut keys = request.headers().get_all(HEADER).iter();
    match (keys.next(), keys.next()) {
        (_, Some(_)) => Err(ApiError::field(HEADER, "must be given once")),
        (Some(key), None) if key.to_str().is_err() => Err(invalid_key()),
        _ => Ok(()),
    }
}

/// Parses the key, if there is one.
///
/// # Errors
/// Returns the error of the header if the key is invalid.
pub(crate) fn key(header: Option<&str>) -> Result<Option<IdempotencyKey>, ApiError> {
    header
        .map(|text| IdempotencyKey::parse(text).ok_or_else(invalid_key))
        .transpose()
}

/// Returns the error of a key that was used for another request.
pub(crate) fn reused() -> ApiError {
    ApiError::new(
        Code::KeyReused,
        "The key was used for another request. Generate a new key for each new request.",
    )
}

fn invalid_key() -> ApiError {
    ApiError::field(
        HEADER,
        format!("must have 1 to {MAX_KEY} visible ASCII characters"),
    )
}
