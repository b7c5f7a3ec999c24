//! The strategies of the simulator.

mod cheat;
mod claims;
mod operators;
mod slots;
mod watching;

use super::actor::{Account, Actor};

/// A way to use the API.
#[derive(Debug, Clone, Copy)]
pub struct Strategy {
    /// The name in the table of `docs/integrity.md`.
    pub name: &'static str,
    /// The accounts of a client.
    pub users: usize,
    /// Whether the first user of a client owns a film.
    pub owns_film: bool,
    pub client: fn(&Account) -> Actor,
}

const fn strategy(name: &'static str, client: fn(&Account) -> Actor) -> Strategy {
    Strategy {
        name,
        users: 1,
        owns_film: false,
        client,
    }
}

/// The strategies that disturb no other client: they share a run.
pub const SHARED: &[Strategy] = &[
    strategy("honest: films at the maximum rate", watching::films),
    strategy("honest: episodes at the maximum rate", watching::episodes),
    strategy("20 videos at once", claims::many_videos),
    strategy("10 pauses at once, each second", claims::pause_storm),
    strategy("a pause each second, twice the time", |account| {
        claims::pause_every(account, 1)
    }),
    strategy("a pause each 3 s, twice the time", |account| {
        claims::pause_every(account, 3)
    }),
    strategy("a pause each 10 s, twice the time", |account| {
        claims::pause_every(account, 10)
    }),
    strategy("exactly the budget, in 2 videos", claims::exact),
    strategy("the same pause to 4 API processes", claims::parallel),
    strategy(
        "replayed and forged idempotency keys",
        claims::replayed_keys,
    ),
    strategy("a device with a wrong clock", claims::device_clock),
    strategy("32 sessions, claimed at the end", claims::saved_sessions),
    strategy("more sessions than can be open", claims::evicted_sessions),
    strategy("the same minute again and again", claims::backwards),
    strategy("the end of a video at once, again", claims::replayed_end),
    strategy("random requests", claims::random),
    Strategy {
        users: 2,
        owns_film: true,
        ..strategy("an owner with a second account", claims::own_second_account)
    },
    strategy("seeks to just before each slot", slots::before_slots),
    strategy("a slot each second", slots::each_slot),
    strategy("seconds first, all slots later", slots::saved_slots),
    strategy("the same slots before and after midnight", slots::midnight),
    strategy("views only, twice the limit", slots::views_only),
    strategy("views, seconds and slots at once", slots::everything),
    Strategy {
        users: THROWN_AWAY,
        ..strategy("a new account for each ad view", slots::throwaway)
    },
];

/// The accounts of a client that uses each for a few seconds.
const THROWN_AWAY: usize = 8;

/// Strategies on a server whose clock changes.
pub const CLOCK: Strategy = strategy("steps of the server's clock", operators::server_clock);
/// Strategies on a server whose rules change.
pub const RULES: Strategy = strategy("a change of the ad interval", operators::changed_rules);
/// Strategies that wait until the server forgets the viewer.
pub const EXPIRY: Strategy = strategy("expired positions and budgets", operators::expired);

/// Returns the distance of the ad slots after a change, in seconds.
pub use operators::shorter;
