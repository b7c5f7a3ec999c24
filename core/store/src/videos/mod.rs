//! Videos, ads and the catalog that imports register.

pub(crate) mod ads;
pub(crate) mod catalog;
pub(crate) mod creation_reply;
pub(crate) mod queries;
pub(crate) mod types;

pub use types::{Ad, Created, Creation, ListedVideo, MAX_PAGE, NewVideo, VideoOrder, VideoQuery};
