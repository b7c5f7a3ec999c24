//! Cheats that want ad views and counted views without the seconds.

use super::cheat::{Cheat, S};
use crate::fraud::actor::{Account, Actor, Request, Turn};

/// A cheat that seeks from slot to slot, film after film.
struct Slots {
    cheat: Cheat,
    film: usize,
    slot_s: i64,
}

impl Slots {
    fn new(account: &Account) -> Self {
        let cheat = Cheat::new(account);
        let slot_s = cheat.slot_after(0);
        Self {
            cheat,
            film: 0,
            slot_s,
        }
    }

    /// Crosses a slot with one or two seconds, and seeks to just before the next one. A play opens the
    /// next film.
    fn cross(&mut self, seconds: i64) -> Vec<Request> {
        let crossed = self.cheat.pause(self.film, self.slot_s - 1 + seconds);
        let mut requests = vec![crossed];
        let next = self.cheat.slot_after(self.slot_s - 1 + seconds);
        if next < self.cheat.scene.durations_s[self.film] - 1 {
            self.slot_s = next;
        } else {
            self.film = (self.film + 1) % self.cheat.scene.films;
            self.slot_s = self.cheat.slot_after(0);
            requests.push(self.cheat.play(self.film));
        }
        requests.push(self.cheat.pause(self.film, self.slot_s - 1));
        requests
    }
}

/// Seeks to just before each slot, and crosses it with the seconds of one second.
pub(super) fn before_slots(account: &Account) -> Actor {
    let mut slots = Slots::new(account);
    let mut number = -1;
    Box::new(move |now, _| {
        number += 1;
        let at = slots.cheat.scene.began_micros + number * S;
        if slots.cheat.is_over(at) {
            return None;
        }
        if number == 0 {
            let before = slots.slot_s - 1;
            let requests = vec![slots.cheat.play(0), slots.cheat.pause(0, before)];
            return Some(Turn::send(now, requests));
        }
        let seconds = slots.cheat.scene.seconds_in(1);
        Some(Turn::send(at, slots.cross(seconds)))
    })
}

/// First claims seconds without slots, then crosses slots with all that was saved.
pub(super) fn saved_slots(account: &Account) -> Actor {
    let mut slots = Slots::new(account);
    let mut number = -1;
    Box::new(move |now, _| {
        number += 1;
        let scene = std::sync::Arc::clone(&slots.cheat.scene);
        let at = scene.began_micros + number * S;
        if slots.cheat.is_over(at) {
            return None;
        }
        if number == 0 {
            return Some(Turn::send(now, vec![slots.cheat.play(0)]));
        }
        // The beginning of the film has no slot.
        if at < i64::midpoint(scene.began_micros, scene.until_micros) {
            let seconds = scene.seconds_in(1).min(slots.slot_s - 1);
            let claimed = slots.cheat.pause(0, seconds);
            return Some(Turn::send(at, vec![claimed, slots.cheat.pause(0, 0)]));
        }
        Some(Turn::send(at, slots.cross(1)))
    })
}

/// Crosses the same slots on both sides of midnight, or of the middle of a run without one.
pub(super) fn midnight(account: &Account) -> Actor {
    let mut cheat = Cheat::new(account);
    let interval_s = i64::from(cheat.scene.rules.ad_interval_s);
    let mut number = 0;
    Box::new(move |now, _| {
        number += 1;
        let scene = std::sync::Arc::clone(&cheat.scene);
        let middle = i64::midpoint(scene.began_micros, scene.until_micros);
        let half_s = scene.elapsed_s() / 2;
        let claim = scene.seconds_in(half_s).min(scene.durations_s[0] - 1);
        match number {
            1 => Some(Turn::send(
                now,
                (0..3).map(|film| cheat.play(film)).collect(),
            )),
            // All seconds of the first half, with their slots.
            2 => {
                let requests = (0..3).map(|film| cheat.pause(film, claim)).collect();
                Some(Turn::send(middle - S, requests))
            }
            // The same slots again, and those of the second half.
            3 => {
                let back = (0..3).map(|film| cheat.pause(film, interval_s - 1));
                Some(Turn::send(middle + S, back.collect()))
            }
            4 => {
                let again = (0..3).map(|film| cheat.pause(film, claim)).collect();
                Some(Turn::send(middle + 3 * S, again))
            }
            5 => {
                let back = (0..3).map(|film| cheat.pause(film, 0)).collect();
                Some(Turn::send(middle + 3 * S + S / 2, back))
            }
            6 => {
                let last = (0..3).map(|film| cheat.pause(film, claim)).collect();
                Some(Turn::send(scene.until_micros - S, last))
            }
            _ => None,
        }
    })
}

/// Returns the plays of as many films as the limit of views allows at a step, in turn.
struct Zapping {
    next: usize,
    sent: i64,
}

impl Zapping {
    const fn new() -> Self {
        Self { next: 0, sent: 0 }
    }

    /// Returns the plays that are due after some microseconds. More than the limit are due.
    fn due(&mut self, cheat: &Cheat, passed_micros: i64) -> Vec<Request> {
        let limit = cheat.scene.rules.view_limit();
        let due = limit.burst() + 1 + passed_micros / limit.interval_micros();
        let count = due - self.sent;
        self.sent = due;
        let mut plays = Vec::new();
        for _ in 0..count {
            // Film 0 is another strategy's.
            self.next = self.next % (cheat.scene.films - 1) + 1;
            plays.push(cheat.play(self.next));
        }
        plays
    }
}

/// Plays as many videos as the limit of views allows, and watches none.
pub(super) fn views_only(account: &Account) -> Actor {
    let cheat = Cheat::new(account);
    let mut zapping = Zapping::new();
    let mut number = -1;
    Box::new(move |_, _| {
        number += 1;
        let passed = number * S;
        let at = cheat.scene.began_micros + passed;
        (!cheat.is_over(at)).then(|| Turn::send(at, zapping.due(&cheat, passed)))
    })
}

/// Everything at once: the views of the limit, all seconds, and each ad view.
pub(super) fn everything(account: &Account) -> Actor {
    let mut slots = before_slots(account);
    let cheat = Cheat::new(account);
    let mut zapping = Zapping::new();
    Box::new(move |now, answers| {
        let mut turn = slots(now, answers)?;
        let passed = turn.at_micros - cheat.scene.began_micros;
        turn.requests.extend(zapping.due(&cheat, passed));
        Some(turn)
    })
}

/// Uses each account for a few seconds: its first ad view, and the burst of its views.
pub(super) fn throwaway(account: &Account) -> Actor {
    let users = account.users.clone();
    let mut cheat = Cheat::new(account);
    let mut number = -1;
    Box::new(move |_, _| {
        number += 1;
        let user = users.get(usize::try_from(number / 4).unwrap())?;
        cheat.user = *user;
        let at = cheat.scene.began_micros + number * 2 * S;
        let slot_s = cheat.slot_after(0);
        let requests = match number % 4 {
            0 => vec![cheat.play(0), cheat.pause(0, slot_s - 1)],
            1 => vec![cheat.pause(0, slot_s + 1)],
            2 => Zapping::new().due(&cheat, 0),
            _ => Vec::new(),
        };
        Some(Turn::send(at, requests))
    })
}
