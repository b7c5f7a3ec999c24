//! Cheats that use what happens on the server: changes of its clock and of its rules, and deletions.

use super::{
    cheat::{Cheat, S},
    claims::pause_every,
};
use crate::fraud::actor::{Account, Actor, Turn};

/// Claims while the clock of the server is set back and forth, within the tolerance. The first client of
/// a run sets it.
pub(super) fn server_clock(account: &Account) -> Actor {
    let mut claims = pause_every(account, 10);
    let is_first = account.users[0] == 0;
    let mut number = 0;
    Box::new(move |now, answers| {
        let mut turn = claims(now, answers)?;
        number += 1;
        turn.clock_step_s = match number % 12 {
            3 | 9 => -200,
            0 | 6 => 200,
            _ => 0,
        } * i64::from(is_first);
        Some(turn)
    })
}

/// Returns the distance of the ad slots after a change, in seconds.
pub const fn shorter(interval_s: u32) -> u32 {
    if interval_s < 10 { 1 } else { interval_s / 10 }
}

/// Saves ad views while slots are far apart, and crosses slots after an admin has set a tenth of the
/// distance. The change is in the middle of the run.
pub(super) fn changed_rules(account: &Account) -> Actor {
    let mut cheat = Cheat::new(account);
    let interval_s = cheat.scene.rules.ad_interval_s;
    let next_s = i64::from(shorter(interval_s));
    let (mut number, mut film, mut slot_s) = (-1, 0, next_s);
    Box::new(move |now, _| {
        number += 1;
        let scene = std::sync::Arc::clone(&cheat.scene);
        let at = scene.began_micros + number * S;
        let middle = i64::midpoint(scene.began_micros, scene.until_micros);
        if cheat.is_over(at) {
            return None;
        }
        if number == 0 {
            return Some(Turn::send(now, vec![cheat.play(0)]));
        }
        if at < middle {
            let seconds = scene.seconds_in(1).min(i64::from(interval_s) - 1);
            let claimed = cheat.pause(film, seconds);
            return Some(Turn::send(at, vec![claimed, cheat.pause(film, 0)]));
        }
        let mut requests = Vec::new();
        // As many slots as the seconds of a second can cross, one by one.
        for _ in 0..scene.seconds_in(1).min(4) {
            if slot_s + next_s >= scene.durations_s[film] {
                film = (film + 1) % scene.films;
                slot_s = next_s;
                requests.push(cheat.play(film));
            }
            requests.push(cheat.pause(film, slot_s - 1));
            requests.push(cheat.pause(film, slot_s));
            slot_s += next_s;
        }
        let is_change = at - S < middle;
        Some(Turn {
            ad_interval_s: is_change.then(|| shorter(interval_s)),
            ..Turn::send(at, requests)
        })
    })
}

/// Claims the first ad view, and waits until the server has deleted the budgets of the viewer.
pub(super) fn expired(account: &Account) -> Actor {
    let mut cheat = Cheat::new(account);
    let mut number = -1;
    Box::new(move |_, _| {
        number += 1;
        let film = usize::try_from(number / 4).unwrap() % cheat.scene.films;
        // A quarter of the steps is a day and two hours after the one before.
        let at = cheat.scene.began_micros + (number / 4 * 26 * 3_600 + number % 4 * 2) * S;
        let slot_s = cheat.slot_after(0);
        let requests = match number % 4 {
            0 => vec![cheat.play(film), cheat.pause(film, slot_s - 1)],
            1 => vec![cheat.pause(film, slot_s + 1)],
            2 => vec![cheat.pause(film, slot_s + 900)],
            _ => vec![cheat.pause(film, slot_s - 1), cheat.pause(film, slot_s + 1)],
        };
        (!cheat.is_over(at)).then(|| Turn::send(at, requests))
    })
}
