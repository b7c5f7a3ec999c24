//! The chapters of the document.

use poem_openapi::Tags;

/// What an operation is about.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Joining, logging in, staying logged in, logging out.
    Accounts,
    /// Registering and finding videos.
    Videos,
    /// Playing and pausing.
    Playback,
    /// What was watched and what it pays, by day, week and month.
    Reports,
    /// Ads, for admins.
    Ads,
    /// Settling days: launching, watching, stopping, restarting; for admins.
    Jobs,
    /// What views are paid, for admins.
    Rates,
    /// Workers, what waits, who did what; for admins.
    Operations,
    /// Probes and metrics.
    Health,
}
