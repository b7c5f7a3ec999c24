//! Plays and pauses.

mod plays;
mod view_window;
