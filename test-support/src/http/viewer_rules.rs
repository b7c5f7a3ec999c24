//! Rules of plays for viewers that play faster than a person can.

/// Rules of plays for the viewers: they play faster than a person can, and each pause is recorded.
pub const VIEWER_SETTINGS: [(&str, &str); 5] = [
    ("MAX_PLAYBACK_RATE", "0"),
    ("VIEWS_PER_MINUTE", "100000"),
    ("VIEW_BURST", "100000"),
    ("VIDEOS_PER_HOUR", "100000"),
    ("VIDEO_BURST", "100000"),
];
/// The command that stores the same rules in a database.
pub const SET_VIEWER_RULES: [&str; 7] = [
    "rules",
    "set",
    "--max-playback-rate=0",
    "--views-per-minute=100000",
    "--view-burst=100000",
    "--videos-per-hour=100000",
    "--video-burst=100000",
];
