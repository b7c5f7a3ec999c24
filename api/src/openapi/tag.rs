//! The tags of the operations.

use poem_openapi::Tags;

/// The tag of an operation.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Join, log in, refresh tokens, log out.
    Accounts,
    /// Register and list videos.
    Videos,
    /// Play and pause videos.
    Playback,
    /// Views and revenue by day, week and month.
    Reports,
    /// Register and list ads (admins only).
    Ads,
    /// Launch, watch, stop and restart the settlement of days (admins only).
    Jobs,
    /// Read and set the rates per view (admins only).
    Rates,
    /// Read and set the rules of plays (admins only).
    Rules,
    /// Workers, backlog, audit log and dead letters (admins only).
    Operations,
    /// Probes and metrics.
    Health,
}
