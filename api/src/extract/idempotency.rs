//! `Idempotency-Key`: a client's own name for a request.

use crate::errors::problem::{ApiError, Code};
use balance_store::playback::{IdempotencyKey, MAX_KEY};
use poem::Request;

/// The header.
pub(crate) const HEADER: &str = "Idempotency-Key";

/// Refuses a request that gives itself two names, or one that no parameter could show: it would
/// be taken for one without a name, and a repetition would be done again.
pub(crate) fn check(request: &Request) -> Result<(), ApiError> {
    let mut keys = request.headers().get_all(HEADER).iter();
    match (keys.next(), keys.next()) {
        (_, Some(_)) => Err(ApiError::field(HEADER, "must be given once")),
        (Some(key), None) if key.to_str().is_err() => Err(invalid_input()),
        _ => Ok(()),
    }
}

/// The name, if there is one.
pub(crate) fn key(header: Option<&str>) -> Result<Option<IdempotencyKey>, ApiError> {
    header
        .map(|text| IdempotencyKey::parse(text).ok_or_else(invalid_input))
        .transpose()
}

/// The name was given to another request before.
pub(crate) fn reused() -> ApiError {
    ApiError::new(
        Code::KeyReused,
        "A key is for one request, and may be sent again with the same one only.",
    )
}

fn invalid_input() -> ApiError {
    ApiError::field(
        HEADER,
        format!("must have 1 to {MAX_KEY} visible ASCII characters"),
    )
}
