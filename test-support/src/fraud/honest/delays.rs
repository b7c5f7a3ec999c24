//! The delay of a network from which on an honest viewer loses seconds.

use super::{
    network::Network,
    player::{Habits, Watch},
    watched::Watched,
};
use crate::{fraud::actor::Scene, settlement::at};
use balance_domain::playback::PlayRules;
use std::sync::Arc;

const S: i64 = 1_000_000;
/// Viewers of each delay, with other random delays.
const VIEWERS: usize = 20;
const WATCHED_S: i64 = 600;

/// The viewers of a search.
#[derive(Debug, Clone, Copy)]
pub struct Delays {
    /// The playback rate in thousandths.
    pub rate: i64,
    /// The seconds between two reports.
    pub report_s: i64,
    /// The devices that play at once.
    pub devices: usize,
    pub seed: u64,
}

/// Returns the first of some delays, in milliseconds, with which a viewer loses seconds. Each request
/// is delayed by it or not at all, at random.
pub async fn first_loss(viewers: Delays, delays_ms: &[i64]) -> Option<i64> {
    let began_micros = at("2024-06-30T00:00:00Z");
    let scene = Arc::new(Scene {
        rules: PlayRules::DEFAULT,
        timezone: "Asia/Seoul".parse().unwrap(),
        durations_s: vec![14_400; viewers.devices],
        films: viewers.devices,
        episodes: 0,
        began_micros,
        until_micros: began_micros + WATCHED_S * S,
    });
    let users = 0..VIEWERS * delays_ms.len();
    let of_user = users.map(|user| {
        let devices = 0..viewers.devices;
        let habits = devices.map(|device| Habits {
            user,
            device,
            begins_micros: began_micros,
            rate: viewers.rate,
            report_s: viewers.report_s,
            watches: vec![Watch {
                video: device,
                stops_after_s: WATCHED_S,
                then_rests_s: 0,
            }],
            network: Network {
                delay_ms: delays_ms[user / VIEWERS],
                is_extreme: true,
                ..Network::PERFECT
            },
            repeats: false,
            seed: viewers.seed + (user * viewers.devices + device) as u64,
        });
        habits.collect()
    });
    let watched = Watched::run(&scene, of_user.collect()).await;
    let loser = watched.seen.iter().position(|one| one.lost_s > 0)?;
    Some(delays_ms[loser / VIEWERS])
}
