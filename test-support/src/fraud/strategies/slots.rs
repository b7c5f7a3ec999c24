//! Cheats that want ad views and counted views without the seconds.

use super::cheat::{Cheat, S};
use crate::fraud::actor::{Account, Actor, Request, Turn};
use balance_store::playback::Command;

/// A cheat that crosses a slot as soon as the budget has an ad view. Until then it claims the seconds
/// before the slot again and again.
pub(super) struct Slots {
    pub(super) cheat: Cheat,
    film: usize,
    slot_s: i64,
    interval_s: i64,
    /// Credited seconds that can become ad views.
    stock_s: i64,
    /// Whether the next step crosses the slot.
    crosses: bool,
    /// Whether each step crosses a slot, also if the budget has no ad view.
    is_greedy: bool,
    number: i64,
}

impl Slots {
    pub(super) fn new(account: &Account) -> Self {
        let cheat = Cheat::new(account);
        let interval_s = i64::from(cheat.scene.rules.ad_interval_s);
        Self {
            cheat,
            film: 0,
            slot_s: interval_s,
            interval_s,
            stock_s: interval_s,
            crosses: true,
            is_greedy: false,
            number: -1,
        }
    }

    /// Returns the requests of the next second. `keeps_s` seconds of the stock stay unused.
    pub(super) fn next(&mut self, keeps_s: i64) -> Option<Turn> {
        self.number += 1;
        let at = self.cheat.scene.began_micros + self.number * S;
        if self.cheat.is_over(at) {
            return None;
        }
        if self.number == 0 {
            let requests = vec![self.cheat.play(0), self.seek()];
            return Some(Turn::send(at, requests));
        }
        let seconds = self.cheat.scene.seconds_in(1);
        let mut requests = Vec::new();
        self.stock_s += seconds;
        if self.crosses {
            requests.push(self.cheat.pause(self.film, self.slot_s));
            self.stock_s -= self.interval_s;
            self.slot_s += self.interval_s;
        } else {
            requests.push(self.cheat.pause(self.film, self.slot_s - 1));
        }
        self.stock_s = self.stock_s.min(2 * self.interval_s);
        if self.slot_s >= self.cheat.scene.durations_s[self.film] - 1 {
            self.film = (self.film + 1) % self.cheat.scene.films;
            self.slot_s = self.interval_s;
            requests.push(self.cheat.play(self.film));
        }
        self.crosses = self.is_greedy || self.stock_s + seconds >= self.interval_s + keeps_s;
        requests.push(self.seek());
        Some(Turn::send(at, requests))
    }

    /// Changes the distance of the slots.
    pub(super) fn set_interval(&mut self, interval_s: i64) {
        self.interval_s = interval_s;
        self.slot_s = (self.cheat.position_s(self.film) / interval_s + 1) * interval_s;
        self.crosses = true;
    }

    /// Seeks to just before the slot. The budget holds no seconds now, so that none is used.
    fn seek(&mut self) -> Request {
        let seconds = self.cheat.scene.seconds_in(1);
        let before_s = self.slot_s - seconds - i64::from(!self.crosses);
        self.cheat.pause(self.film, before_s.max(0))
    }
}

/// Seeks to just before each slot.
pub(super) fn before_slots(account: &Account) -> Actor {
    let mut slots = Slots::new(account);
    Box::new(move |_, _| slots.next(0))
}

/// Crosses a slot each second.
pub(super) fn each_slot(account: &Account) -> Actor {
    let mut slots = Slots::new(account);
    slots.is_greedy = true;
    Box::new(move |_, _| slots.next(0))
}

/// Saves as many ad views as the budget holds, and uses them at the end.
pub(super) fn saved_slots(account: &Account) -> Actor {
    let mut slots = Slots::new(account);
    let keeps_s = 2 * slots.interval_s;
    Box::new(move |now, _| {
        let left_s = (slots.cheat.scene.until_micros - now) / S;
        slots.next(if left_s > 20 { keeps_s } else { 0 })
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

    /// Returns the plays that are due after some microseconds.
    fn due(&mut self, cheat: &Cheat, passed_micros: i64) -> Vec<Request> {
        let limit = cheat.scene.rules.view_limit();
        let due = limit.burst() + passed_micros / limit.interval_micros();
        let count = due - self.sent;
        self.sent = due;
        let mut plays = Vec::new();
        for _ in 0..count {
            // Film 0 is for the slots.
            let others = cheat.scene.films + cheat.scene.episodes - 1;
            self.next = self.next % others + 1;
            plays.push(cheat.play(self.next));
        }
        plays
    }
}

/// Plays twice as many videos as the limit of views allows, and watches none.
pub(super) fn views_only(account: &Account) -> Actor {
    let cheat = Cheat::new(account);
    let mut zapping = Zapping::new();
    let mut number = -1;
    Box::new(move |_, _| {
        number += 1;
        let passed = number * S;
        let at = cheat.scene.began_micros + passed;
        (!cheat.is_over(at)).then(|| Turn::send(at, zapping.due(&cheat, 2 * passed)))
    })
}

/// Everything at once: the views of the limit, all seconds, and each ad view.
pub(super) fn everything(account: &Account) -> Actor {
    let mut slots = Slots::new(account);
    let cheat = Cheat::new(account);
    let mut zapping = Zapping::new();
    // One view stays for the next film of the slots.
    zapping.sent = 2;
    Box::new(move |_, _| {
        let mut turn = slots.next(0)?;
        let passed = turn.at_micros - cheat.scene.began_micros;
        let is_play = |one: &&Request| matches!(one.command, Command::Play);
        let plays = turn.requests.iter().filter(is_play).count();
        if passed > 0 {
            zapping.sent += i64::try_from(plays).unwrap();
        }
        // The film comes last: many plays close the sessions before them.
        let film = std::mem::replace(&mut turn.requests, zapping.due(&cheat, passed));
        turn.requests.extend(film);
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
        let at = cheat.scene.began_micros + number * 2 * S;
        let slot_s = cheat.slot_after(0);
        let mut requests = Vec::new();
        for user in &users {
            cheat.user = *user;
            match number {
                0 => requests.extend([cheat.play(0), cheat.pause(0, slot_s - 1)]),
                1 => requests.push(cheat.pause(0, slot_s + 1)),
                2 => requests.extend(Zapping::new().due(&cheat, 0)),
                _ => return None,
            }
        }
        Some(Turn::send(at, requests))
    })
}
