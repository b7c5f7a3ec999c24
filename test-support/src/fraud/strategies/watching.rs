//! Honest viewers who watch at the maximum rate without a break, on a network without delays.

use crate::fraud::actor::{Account, Actor, Request, Turn};

const S: i64 = 1_000_000;

/// Watches films.
pub(super) fn films(account: &Account) -> Actor {
    let films = account.scene.films;
    watch(account, (0..films).collect())
}

/// Watches short videos, one after the other.
pub(super) fn episodes(account: &Account) -> Actor {
    let scene = &account.scene;
    watch(
        account,
        (scene.films..scene.films + scene.episodes).collect(),
    )
}

/// Watches videos to their ends, in turn. Pauses each 10 s, and at the end of a video.
fn watch(account: &Account, videos: Vec<usize>) -> Actor {
    let scene = std::sync::Arc::clone(&account.scene);
    let user = account.users[0];
    let (mut next, mut position_s, mut at, mut is_open) = (0, 0, scene.began_micros, false);
    Box::new(move |_, _| {
        let video = videos[next % videos.len()];
        if !is_open {
            is_open = true;
            return Some(Turn::send(at, vec![Request::play(user, video)]));
        }
        if at >= scene.until_micros {
            return None;
        }
        let left_s = scene.durations_s[video] - position_s;
        let seconds = scene.seconds_in(10).min(left_s);
        at += scene.rules.playback_rate.micros_of(seconds).min(10 * S);
        at = at.min(scene.until_micros);
        position_s += seconds;
        let pause = Request::pause(user, video, position_s);
        if position_s == scene.durations_s[video] {
            (next, position_s, is_open) = (next + 1, 0, false);
        }
        Some(Turn::send(at, vec![pause]))
    })
}
