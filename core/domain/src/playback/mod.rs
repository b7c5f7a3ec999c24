//! Plays, the view window and playback sessions.

mod play;
mod session;
mod view_window;

pub use play::{EventId, MAX_PLAY_TIME_S, Play};
pub use session::{CREDIT_GRACE_S, Credit, PlaybackRate, Session};
pub use view_window::{Admission, ViewWindow};
