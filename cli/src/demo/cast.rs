//! The cast of the demo: who there is, what they have uploaded, and who behaves oddly.

use crate::demo::words;
use balance_domain::{
    accounts::{User, UserId},
    videos::{Video, VideoId},
};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// How many people upload videos; their ids begin at 1.
pub(super) const CREATOR_COUNT: u32 = 100;
/// How many people only watch; their ids begin at [`FIRST_VIEWER_ID`].
pub(super) const VIEWER_COUNT: u32 = 20_000;
/// The id of the first viewer, clear of the creators' ids.
pub(super) const FIRST_VIEWER_ID: u32 = 1_001;
/// How many videos there are; their ids begin at 1.
const VIDEO_COUNT: u32 = 2_000;
/// How many creators watch videos of their own every day.
const SELF_WATCHER_COUNT: usize = 12;
/// How many viewers repeat one video again and again every day.
const CHEAT_COUNT: usize = 12;

/// Creators, then viewers.
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

/// The videos in the order of their ids.
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

/// Everybody uploads something; the lower of two draws makes a few creators busier than most.
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

/// Shorts, clips, episodes and films: 15 s to 2 h.
fn duration_s(rng: &mut ChaCha8Rng) -> i64 {
    match rng.random_range(0..100) {
        0..35 => rng.random_range(15..=60),
        35..75 => rng.random_range(120..=900),
        75..95 => rng.random_range(900..=2_700),
        _ => rng.random_range(2_700..=7_200),
    }
}

/// The creators of the most popular videos, each once, with up to three favourites of their own.
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

/// Cheats lift videos that nobody else would watch: the last ones to become trends.
pub(super) fn cheats(trends: &[Video], rng: &mut ChaCha8Rng) -> Vec<(UserId, Video)> {
    let lifted = trends.iter().rev().take(CHEAT_COUNT);
    lifted
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
