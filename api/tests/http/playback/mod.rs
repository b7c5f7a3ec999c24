//! Plays and pauses.

mod limits;
mod plays;
mod view_window;
