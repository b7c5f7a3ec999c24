//! The layers around every handler.

mod cors;
mod requests;
