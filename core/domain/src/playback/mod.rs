//! Plays, the view window, watch sessions and the budgets of viewers.

mod event_id;
mod open_session;
mod play;
mod play_rules;
mod playback_rate;
mod rate_limit;
mod recent_views;
mod view_window;
mod viewer;

pub use event_id::EventId;
pub use open_session::{MAX_OPEN_SESSIONS, OpenSession};
pub use play::{MAX_PLAY_TIME_S, Play};
pub use play_rules::{MAX_BURST_S, MAX_LIMIT, MAX_RULE_S, PlayRules};
pub use playback_rate::{InvalidRate, PlaybackRate};
pub use rate_limit::RateLimit;
pub use recent_views::RecentViews;
pub use view_window::{Admission, ViewWindow};
pub use viewer::{Credit, MAX_AD_VIEWS, Opened, Pause, PauseError, TooMany, Viewer};
