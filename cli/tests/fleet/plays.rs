//! Generated plays, always the same, with plays by owners and repeated views.

use std::fmt::Write;

pub(crate) const HEADER: &str = "user_id,video_id,owner_id,started_at,play_time_s,video_duration_s";
/// The duration of each video in seconds: long enough for one ad.
const DURATION_S: u64 = 600;

/// Returns a CSV file with plays of one day (Seoul). Each video has one to three views, some with
/// an ad. Some plays are repeated views, and some are by the owner.
pub(crate) fn day(date: &str, videos: u64) -> String {
    let mut text = format!("{HEADER}\n");
    for video in 1..=videos {
        let owner = 1 + video % 97;
        let mut play = |user: u64, hour: u64, second: u64| {
            let (minute, second) = ((video + second / 60) % 60, second % 60);
            let seconds = (video * 37 + user) % DURATION_S;
            writeln!(
                text,
                "{user},{video},{owner},{date}T{hour:02}:{minute:02}:{second:02}Z,{seconds},{DURATION_S}"
            )
            .unwrap();
        };
        for view in 0..=video % 3 {
            play(1_000 + (video * 7 + view) % 5_000, 1 + view, video % 60);
        }
        if video % 20 == 0 {
            // 10 seconds after a counted view of the same user.
            play(1_000 + (video * 7) % 5_000, 1, video % 60 + 10);
        }
        if video % 50 == 0 {
            play(owner, 9, 0);
        }
    }
    text
}
