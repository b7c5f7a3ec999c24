//! Plays, the view window and watch sessions.

mod event_id;
mod play;
mod play_rules;
mod recent_views;
mod session;
mod view_window;

pub use event_id::EventId;
pub use play::{MAX_PLAY_TIME_S, Play};
pub use play_rules::{MAX_RULE_S, PlayRules};
pub use recent_views::RecentViews;
pub use session::{CREDIT_GRACE_S, Credit, InvalidRate, PlaybackRate, Session};
pub use view_window::{Admission, ViewWindow};
