//! The OpenAPI document and the pages that show it.

pub(crate) mod document;
pub(crate) mod error_page;
pub(crate) mod normalize;
pub(crate) mod pages;
pub(crate) mod tag;
