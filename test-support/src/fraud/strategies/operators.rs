//! Cheats that use what happens on the server: changes of its clock and of its rules, and deletions.

use super::{
    cheat::{Cheat, S},
    claims::pause_every,
    slots::Slots,
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
    if interval_s < 5 { 1 } else { interval_s / 5 }
}

/// Saves ad views while slots are far apart, and crosses slots after an admin has set a fifth of the
/// distance. The change is in the middle of the run.
pub(super) fn changed_rules(account: &Account) -> Actor {
    let mut slots = Slots::new(account);
    let scene = std::sync::Arc::clone(&account.scene);
    let middle = i64::midpoint(scene.began_micros, scene.until_micros);
    let interval_s = scene.rules.ad_interval_s;
    let mut has_changed = false;
    Box::new(move |now, _| {
        let is_change = now >= middle && !has_changed;
        if is_change {
            has_changed = true;
            slots.set_interval(shorter(interval_s).into());
        }
        let keeps_s = if has_changed {
            0
        } else {
            i64::from(interval_s)
        };
        let mut turn = slots.next(keeps_s)?;
        turn.ad_interval_s = is_change.then(|| shorter(interval_s));
        Some(turn)
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
