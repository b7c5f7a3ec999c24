//! Cursors: where a list goes on, in a form that clients only hand back.

use crate::errors::problem::ApiError;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// The parameter.
pub(crate) const NAME: &str = "cursor";

/// A cursor.
pub(crate) fn write(after: &impl Serialize) -> Result<String, ApiError> {
    let text = serde_json::to_vec(after).map_err(ApiError::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(text))
}

/// What a cursor says.
pub(crate) fn read<T: DeserializeOwned>(cursor: &str) -> Result<T, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let after = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    after.ok_or_else(|| ApiError::field(NAME, "is not the next of a page"))
}
