//! Cursors: opaque positions in a list, which clients send back unchanged.

use crate::errors::problem::ApiError;
use balance_service::listing::DEFAULT_PAGE_SIZE;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// Returns the default number of items per page.
pub(crate) const fn default_limit() -> u32 {
    DEFAULT_PAGE_SIZE
}

/// The name of the query parameter.
pub(crate) const NAME: &str = "cursor";

/// Encodes a position as a cursor.
pub(crate) fn write(after: &impl Serialize) -> Result<String, ApiError> {
    let text = serde_json::to_vec(after).map_err(ApiError::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(text))
}

/// Decodes a cursor.
///
/// # Errors
/// Returns the error of the parameter if the cursor is malformed.
pub(crate) fn read<T: DeserializeOwned>(cursor: &str) -> Result<T, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let after = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    after.ok_or_else(|| ApiError::field(NAME, "is not the `next` of a page"))
}
