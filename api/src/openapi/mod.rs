//! The OpenAPI document.

pub(crate) mod document;
pub(crate) mod normalize;
pub(crate) mod tag;
