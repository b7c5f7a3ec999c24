//! Videos and ads.

pub(crate) mod ads;
pub(crate) mod resource;
