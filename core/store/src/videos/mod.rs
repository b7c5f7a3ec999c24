//! Videos and ads: creation, lists, and the catalog that imports register.

mod ads;
pub(crate) mod catalog;
mod creation;
mod creation_reply;
mod listing;

pub use ads::Ad;
pub use creation::NewVideo;
pub use creation_reply::{Created, Creation};
pub use listing::{ListedVideo, MAX_PAGE, VideoOrder, VideoQuery};
