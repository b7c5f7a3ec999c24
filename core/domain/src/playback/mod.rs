//! Plays, the view window and playback sessions.

mod gate;
mod play;
mod session;

pub use gate::{Admission, Gate};
pub use play::{EventId, MAX_PLAY_TIME_S, Play};
pub use session::{CREDIT_GRACE_S, Credit, PlaybackRate, Session};
