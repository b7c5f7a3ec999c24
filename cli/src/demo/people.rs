//! The users of the demo, their videos, and the users with unusual behaviour.

use crate::demo::words;
use balance_domain::{
    accounts::{User, UserId},
    videos::{Video, VideoId},
};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// Number of users who upload videos; their IDs begin at 1.
pub(super) const CREATOR_COUNT: u32 = 100;
/// Number of users who only watch; their IDs begin at [`FIRST_VIEWER_ID`].
pub(super) const VIEWER_COUNT: u32 = 20_000;
/// The ID of the first viewer, above the creators' IDs.
pub(super) const FIRST_VIEWER_ID: u32 = 1_001;
/// Number of videos; their IDs begin at 1.
const VIDEO_COUNT: u32 = 2_000;
/// Number of creators who watch their own videos every day.
const SELF_WATCHER_COUNT: usize = 12;
/// Number of viewers who repeat one video many times every day.
const CHEAT_COUNT: usize = 12;

/// Returns the creators, then the viewers.
pub(super) fn users(rng: &mut ChaCha8Rng) -> Vec<User> {
    let handles = words::handles(rng).into_iter();
    let creators = (1..=CREATOR_COUNT).zip(handles).map(|(id, handle)| User {
        id: UserId(i64::from(id)),
        username: if id % 4 == 0 {
            format!("studio-{id:03}")
        } else {
            handle
        },
    });
    let viewers = (0..VIEWER_COUNT).map(|index| User {
        id: UserId(i64::from(FIRST_VIEWER_ID + index)),
        username: format!("viewer-{:05}", index + 1),
    });
    creators.chain(viewers).collect()
}

/// Returns the videos in the order of their IDs.
pub(super) fn videos(rng: &mut ChaCha8Rng) -> Vec<Video> {
    let titles = words::titles(rng).into_iter();
    (1..=VIDEO_COUNT)
        .zip(titles)
        .map(|(id, title)| Video {
            id: VideoId(i64::from(id)),
            owner_id: UserId(i64::from(owner(id, rng))),
            title,
            duration_s: duration_s(rng),
        })
        .collect()
}

/// Draws the owner of a video. Every creator owns one video; the lower of two draws gives a few
/// creators most of the others.
fn owner(video_id: u32, rng: &mut ChaCha8Rng) -> u32 {
    if video_id <= CREATOR_COUNT {
        return video_id;
    }
    let (one, other) = (
        rng.random_range(1..=CREATOR_COUNT),
        rng.random_range(1..=CREATOR_COUNT),
    );
    one.min(other)
}

/// Draws the length of a short, clip, episode or film: 15 to 7,200 s.
fn duration_s(rng: &mut ChaCha8Rng) -> i64 {
    match rng.random_range(0..100) {
        0..35 => rng.random_range(15..=60),
        35..75 => rng.random_range(120..=900),
        75..95 => rng.random_range(900..=2_700),
        _ => rng.random_range(2_700..=7_200),
    }
}

/// Returns for each creator of the most popular videos up to three of the creator's own videos.
pub(super) fn self_watchers(by_popularity: &[Video]) -> Vec<Vec<Video>> {
    let mut watchers: Vec<Vec<Video>> = Vec::new();
    for video in by_popularity {
        let is_owner = |own: &Vec<Video>| own.iter().any(|other| other.owner_id == video.owner_id);
        if let Some(own) = watchers
            .iter()
            .position(is_owner)
            .and_then(|at| watchers.get_mut(at))
        {
            if own.len() < 3 {
                own.push(video.clone());
            }
        } else if watchers.len() < SELF_WATCHER_COUNT {
            watchers.push(vec![video.clone()]);
        }
    }
    watchers
}

/// Draws the cheating viewers. They repeat unpopular videos: the last ones to become trends.
pub(super) fn cheats(trends: &[Video], rng: &mut ChaCha8Rng) -> Vec<(UserId, Video)> {
    let repeated = trends.iter().rev().take(CHEAT_COUNT);
    repeated
        .map(|video| {
            let id = FIRST_VIEWER_ID + rng.random_range(0..VIEWER_COUNT);
            (UserId(i64::from(id)), video.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use std::collections::HashSet;

    #[test]
    fn ids_and_names_are_unique_and_videos_have_owners() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (users, videos) = (users(&mut rng), videos(&mut rng));
        assert_eq!(users.len(), 20_100);
        assert_eq!(videos.len(), 2_000);
        let ids: HashSet<_> = users.iter().map(|user| user.id).collect();
        let names: HashSet<_> = users.iter().map(|user| &user.username).collect();
        let titles: HashSet<_> = videos.iter().map(|video| &video.title).collect();
        assert_eq!(
            (ids.len(), names.len(), titles.len()),
            (20_100, 20_100, 2_000)
        );
        for (index, video) in videos.iter().enumerate() {
            assert_eq!(video.id, VideoId(i64::try_from(index).unwrap() + 1));
            assert!((1..=100).contains(&video.owner_id.0), "{video:?}");
            assert!((15..=7_200).contains(&video.duration_s), "{video:?}");
        }
    }
}
