//! A day of honest viewers on the embedded intake in simulated time.

use super::{
    network::Network,
    player::{Habits, Watch},
    watched::Watched,
};
use crate::{fraud::actor::Scene, settlement::at};
use balance_domain::playback::PlayRules;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

const S: i64 = 1_000_000;
const HOUR_S: i64 = 3_600;
/// Midnight in the time zone of the tests.
const BEGINS: &str = "2024-06-29T15:00:00Z";
const FILMS: usize = 60;
const FILM_S: i64 = 4 * HOUR_S;
const EPISODES: usize = 300;

/// A day of honest viewers.
#[derive(Debug, Clone, Copy)]
pub struct Day {
    pub viewers: usize,
    pub seed: u64,
    /// Divides the times that viewers watch, for a short run.
    pub divisor: i64,
}

impl Day {
    /// Runs the day, and the first hours of the next one.
    pub async fn run(self) -> Watched {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut durations_s = vec![FILM_S; FILMS];
        durations_s.extend((0..EPISODES).map(|_| rng.random_range(20..3_000)));
        let began_micros = at(BEGINS);
        let scene = Arc::new(Scene {
            rules: PlayRules::DEFAULT,
            timezone: "Asia/Seoul".parse().unwrap(),
            durations_s,
            films: FILMS,
            episodes: EPISODES,
            began_micros,
            until_micros: began_micros + 36 * HOUR_S * S,
        });
        let viewers = 0..self.viewers;
        let viewers = viewers.map(|user| self.viewer(user, &scene, &mut rng));
        Watched::run(&scene, viewers.collect()).await
    }

    /// Returns the habits of a viewer on each device.
    fn viewer(self, user: usize, scene: &Scene, rng: &mut ChaCha8Rng) -> Vec<Habits> {
        let base = Habits {
            user,
            device: 0,
            begins_micros: scene.began_micros + rng.random_range(6 * HOUR_S..20 * HOUR_S) * S,
            rate: [1_000, 1_250, 1_500, 2_000][rng.random_range(0..4)],
            report_s: [5, 10, 30, 60][rng.random_range(0..4)],
            watches: Vec::new(),
            network: Network {
                delay_ms: 200,
                ..Network::PERFECT
            },
            repeats: false,
            seed: rng.random(),
        };
        let film = rng.random_range(0..FILMS);
        match user % 20 {
            0..8 => vec![self.commuter(film, base, rng)],
            8 => vec![Habits {
                report_s: 1,
                watches: self.series(2, 480, 60, rng),
                ..base
            }],
            9..11 => vec![long_film(film, base)],
            11..13 => self.two_devices(film, &base, rng),
            13..15 => vec![Habits {
                begins_micros: scene.began_micros + (24 * HOUR_S - rng.random_range(60..1_800)) * S,
                watches: self.series(3, 1_800, 300, rng),
                ..base
            }],
            15..18 => vec![self.resumes(film, base, rng)],
            _ => vec![Habits {
                repeats: true,
                network: Network::FLAKY,
                watches: self.series(4, 600, 100, rng),
                ..base
            }],
        }
    }

    fn part(self, video: usize, stops_after_s: i64, then_rests_s: i64) -> Watch {
        Watch {
            video,
            stops_after_s: (stops_after_s / self.divisor).max(1),
            then_rests_s,
        }
    }

    /// Watches a film on the way to work and back, and short videos at lunch.
    fn commuter(self, film: usize, base: Habits, rng: &mut ChaCha8Rng) -> Habits {
        let there_s = rng.random_range(600..1_800);
        let mut watches = vec![self.part(film, there_s, 4 * HOUR_S)];
        watches.extend(self.series(3, 300, 40, rng));
        watches.push(self.part(film, there_s, 60));
        watches.push(self.part(film, 300, 0));
        Habits {
            begins_micros: base.begins_micros - 2 * HOUR_S * S,
            network: Network::FLAKY,
            watches,
            ..base
        }
    }

    /// Watches some videos one after the other, each to its end or to the viewer's stop.
    fn series(self, count: usize, stops_s: i64, rests_s: i64, rng: &mut ChaCha8Rng) -> Vec<Watch> {
        let first = rng.random_range(0..EPISODES);
        let mut watches = Vec::new();
        for number in 0..count {
            let video = FILMS + (first + number) % EPISODES;
            let rests_s = 31 + rng.random_range(0..=rests_s);
            watches.push(self.part(video, rng.random_range(stops_s / 2..=stops_s), rests_s));
        }
        watches
    }

    /// Watches two videos on two devices at normal speed.
    fn two_devices(self, film: usize, base: &Habits, rng: &mut ChaCha8Rng) -> Vec<Habits> {
        let mut device = |device, film| Habits {
            device,
            rate: 1_000,
            report_s: [1, 10, 60][rng.random_range(0..3)],
            watches: vec![self.part(film, 600, 100), self.part(film, 600, 0)],
            seed: base.seed + device as u64,
            ..base.clone()
        };
        vec![device(0, film), device(1, (film + 1) % FILMS)]
    }

    /// Watches parts of two videos in turn.
    fn resumes(self, film: usize, base: Habits, rng: &mut ChaCha8Rng) -> Habits {
        let other = FILMS + rng.random_range(0..EPISODES);
        let mut watches = Vec::new();
        for _ in 0..4 {
            for video in [film, other] {
                let rests_s = rng.random_range(31..1_000);
                watches.push(self.part(video, rng.random_range(60..600), rests_s));
            }
        }
        Habits { watches, ..base }
    }
}

/// Watches a film of four hours. The player reports only its end.
fn long_film(film: usize, base: Habits) -> Habits {
    let watch = Watch {
        video: film,
        stops_after_s: FILM_S,
        then_rests_s: 0,
    };
    Habits {
        report_s: 0,
        watches: vec![watch],
        ..base
    }
}
