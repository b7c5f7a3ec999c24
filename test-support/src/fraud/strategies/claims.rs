//! Cheats that claim more seconds than a person can watch.

use super::cheat::{Cheat, S};
use crate::fraud::actor::{Account, Actor, Request, Turn};
use balance_store::playback::IntakeAnswer;

/// The most videos at once.
const VIDEOS: usize = 20;

/// Returns a client whose requests of a turn are sent at the same time.
fn at_once(mut client: Actor) -> Actor {
    Box::new(move |now, answers| client(now, answers).map(Turn::at_once))
}

/// Returns a client that first plays videos, and then does a step at each interval until the end. It
/// repeats plays beyond the limit of views.
fn every(
    account: &Account,
    videos: usize,
    interval_micros: i64,
    mut step: impl FnMut(&mut Cheat, i64) -> Vec<Request> + Send + 'static,
) -> Actor {
    let mut cheat = Cheat::new(account);
    let mut number = -1;
    let mut closed: Vec<usize> = (0..videos).collect();
    Box::new(move |now, answers| {
        number += 1;
        if number == 0 {
            let plays = closed.iter().map(|video| cheat.play(*video)).collect();
            return Some(Turn::send(now, plays));
        }
        let at = cheat.scene.began_micros + number * interval_micros;
        if cheat.is_over(at) {
            return None;
        }
        let mut of_plays = answers.iter();
        closed.retain(|_| !matches!(of_plays.next(), Some(Some(IntakeAnswer::Playing { .. }))));
        let mut requests: Vec<Request> = closed.iter().map(|video| cheat.play(*video)).collect();
        requests.extend(step(&mut cheat, number));
        Some(Turn::send(at, requests))
    })
}

/// Plays 20 videos at once, and claims the whole time in each.
pub(super) fn many_videos(account: &Account) -> Actor {
    every(account, VIDEOS, S, |cheat, number| {
        let video = usize::try_from(number).unwrap() % VIDEOS;
        let seconds = cheat.scene.seconds_in(20);
        vec![cheat.claim(video, seconds)]
    })
}

/// Pauses ten times at once, each second.
pub(super) fn pause_storm(account: &Account) -> Actor {
    at_once(every(account, 1, S, |cheat, _| {
        (0..10).map(|_| cheat.claim(0, 600)).collect()
    }))
}

/// Claims twice the possible seconds at each interval.
pub(super) fn pause_every(account: &Account, interval_s: i64) -> Actor {
    every(account, 1, interval_s * S, move |cheat, _| {
        let seconds = 2 * cheat.scene.seconds_in(interval_s);
        vec![cheat.claim(0, seconds)]
    })
}

/// Claims exactly what the budget holds, in two videos at once.
pub(super) fn exact(account: &Account) -> Actor {
    every(account, 2, 2 * S, |cheat, number| {
        let burst_s = i64::from(cheat.scene.rules.credit_burst_s);
        let first = if number == 1 { burst_s } else { 0 };
        let half = cheat.scene.seconds_in(1);
        vec![cheat.claim(0, half + first), cheat.claim(1, half)]
    })
}

/// Sends the same pause to several API processes at once.
pub(super) fn parallel(account: &Account) -> Actor {
    at_once(every(account, 4, S, |cheat, number| {
        let video = usize::try_from(number).unwrap() % 4;
        let seconds = cheat.scene.seconds_in(4);
        let request = cheat.claim(video, seconds);
        let to = |server| request.clone().at_server(server);
        (0..4).map(to).collect()
    }))
}

/// Repeats each pause with its idempotency key, and uses the key for other videos and positions.
pub(super) fn replayed_keys(account: &Account) -> Actor {
    at_once(every(account, 4, S, |cheat, number| {
        let seconds = cheat.scene.seconds_in(2);
        let first = cheat.claim(0, seconds).with_key(format!("k{number}"));
        let old = first.clone().with_key(format!("k{}", number - 1));
        let other = cheat.claim(1, seconds).with_key(format!("k{number}"));
        let forged = cheat.claim(2, seconds).with_key(format!("k{number}-2"));
        vec![first.clone(), first, old, other, forged]
    }))
}

/// Reports the positions of a device whose clock runs fast, jumps ahead and goes back.
pub(super) fn device_clock(account: &Account) -> Actor {
    every(account, 1, 2 * S, |cheat, number| {
        let of_device = match number % 10 {
            0..6 => 60 * number,
            6 => 86_400,
            7 => 0,
            _ => number,
        };
        let current_s = cheat.scene.seconds_in(of_device) % cheat.scene.durations_s[0];
        vec![cheat.pause(0, current_s)]
    })
}

/// Opens 32 sessions, and claims the whole time in each at the end.
pub(super) fn saved_sessions(account: &Account) -> Actor {
    let mut cheat = Cheat::new(account);
    let mut number = 0;
    Box::new(move |now, _| {
        number += 1;
        let end = cheat.scene.until_micros - S;
        match number {
            1 => Some(Turn::send(
                now,
                (0..32).map(|video| cheat.play(video)).collect(),
            )),
            2 => {
                let seconds = cheat.scene.seconds_in(cheat.scene.elapsed_s());
                let claims = (0..32).map(|video| cheat.claim(video, seconds)).collect();
                Some(Turn::send(end, claims))
            }
            _ => None,
        }
    })
}

/// Keeps more sessions than can be open, and pauses also those that were closed.
pub(super) fn evicted_sessions(account: &Account) -> Actor {
    every(account, 33, 3 * S, |cheat, number| {
        let video = usize::try_from(number).unwrap() % 50;
        let mut requests = vec![cheat.play(video)];
        let seconds = cheat.scene.seconds_in(150);
        requests.extend((0..3).map(|_| {
            let paused = cheat.random(50);
            cheat.claim(paused, seconds)
        }));
        requests
    })
}

/// Watches the same minute of a film again and again.
pub(super) fn backwards(account: &Account) -> Actor {
    every(account, 1, 5 * S, |cheat, _| {
        let seconds = cheat.scene.seconds_in(5);
        let back = cheat.position_s(0);
        vec![cheat.claim(0, seconds), cheat.pause(0, back)]
    })
}

/// Claims the end of an episode at once, and plays the next one.
pub(super) fn replayed_end(account: &Account) -> Actor {
    every(account, 0, 2 * S, |cheat, number| {
        let films = cheat.scene.films;
        let episodes = cheat.scene.episodes;
        let video = films + usize::try_from(number).unwrap() % episodes;
        let duration_s = cheat.scene.durations_s[video];
        let end = Request::pause(cheat.user, video, duration_s);
        vec![cheat.play(video), end.clone(), end]
    })
}

/// Sends random requests.
pub(super) fn random(account: &Account) -> Actor {
    every(account, 4, S, |cheat, number| {
        let count = cheat.random(4);
        let one = |_| {
            let video = cheat.random(12);
            match cheat.random(8) {
                0 => cheat.play(video),
                1 => cheat.pause(video, 0),
                2 => cheat
                    .claim(video, 10_000)
                    .with_key(format!("k{}", number / 7)),
                _ => {
                    let seconds = i64::try_from(cheat.random(900)).unwrap();
                    cheat.claim(video, seconds)
                }
            }
        };
        (0..count).map(one).collect()
    })
}

/// The owner of a film plays it, and so does the owner's second account.
pub(super) fn own_second_account(account: &Account) -> Actor {
    let film = account.own_video.unwrap();
    let (owner, second) = (account.users[0], account.users[1]);
    let mut position_s = 0;
    let mut cheat = Cheat::new(account);
    let mut number = 0;
    Box::new(move |now, _| {
        number += 1;
        let at = cheat.scene.began_micros + number * 2 * S;
        if cheat.is_over(at) {
            return None;
        }
        if number % 16 == 1 {
            let plays = [owner, second].map(|user| Request::play(user, film));
            return Some(Turn::send(now, plays.to_vec()));
        }
        let step_s = cheat.scene.seconds_in(2);
        position_s = (position_s + step_s) % (cheat.scene.durations_s[film] - 1);
        let pauses = [owner, second].map(|user| Request::pause(user, film, position_s));
        cheat.user = second;
        Some(Turn::send(at, pauses.to_vec()))
    })
}
