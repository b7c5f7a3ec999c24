//! Reports: revenue, top lists and a video's days.

pub(crate) mod periods;
pub(crate) mod representation;
pub(crate) mod resource;
pub(crate) mod revenue;
pub(crate) mod suppressed;
pub(crate) mod top;
pub(crate) mod video;
pub(crate) mod video_days;
