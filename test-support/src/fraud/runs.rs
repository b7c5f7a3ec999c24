//! Runs of the strategies on the embedded intake in simulated time.

use super::{
    actor::{Account, Actor, Scene},
    report::{Honest, Row},
    simulated::Simulated,
    strategies::{CLOCK, EXPIRY, RULES, SHARED, Strategy, shorter},
    totals::Totals,
};
use crate::settlement::at;
use balance_domain::playback::PlayRules;
use std::{collections::BTreeMap, sync::Arc};

const S: i64 = 1_000_000;
/// Midnight in the time zone of the tests. It is in the middle of a run.
const MIDNIGHT: &str = "2024-06-30T15:00:00Z";
/// Films have the length of four hours, episodes of five minutes.
const FILMS: usize = 100;
const FILM_S: i64 = 14_400;
const EPISODES: usize = 60;
const EPISODE_S: i64 = 300;

/// How long strategies run, and by which rules.
#[derive(Debug, Clone)]
pub struct Plan {
    pub rules: PlayRules,
    pub elapsed_s: i64,
    /// The numbers of accounts of a strategy.
    pub accounts: Vec<usize>,
    pub seed: u64,
}

/// The clients of one strategy with a number of accounts.
#[derive(Debug, Clone)]
pub struct Group {
    pub strategy: Strategy,
    pub accounts: Vec<Account>,
}

impl Group {
    /// Returns the users of all clients.
    pub fn users(&self) -> impl Iterator<Item = usize> {
        self.accounts
            .iter()
            .flat_map(|one| one.users.iter().copied())
    }

    pub fn clients(&self) -> impl Iterator<Item = Actor> {
        self.accounts.iter().map(|one| (self.strategy.client)(one))
    }

    /// Returns the sum of the users' counts.
    pub fn totals(&self, of_users: &BTreeMap<usize, Totals>) -> Totals {
        let mut sum = Totals::default();
        for user in self.users() {
            if let Some(totals) = of_users.get(&user) {
                sum.add(totals);
            }
        }
        sum
    }
}

/// The clients of a run, and what they know.
pub struct Cast {
    pub scene: Arc<Scene>,
    pub groups: Vec<Group>,
    pub users: usize,
    /// Films that belong to a user.
    pub owners: BTreeMap<usize, usize>,
}

impl Cast {
    /// Plans the clients of some strategies, each with each number of accounts.
    pub fn new(plan: &Plan, began_micros: i64, strategies: &[Strategy]) -> Self {
        let mut durations_s = vec![FILM_S; FILMS];
        durations_s.extend([EPISODE_S; EPISODES]);
        let mut users = 0;
        let mut owners = BTreeMap::new();
        let mut planned = Vec::new();
        for strategy in strategies {
            for count in &plan.accounts {
                let mut accounts = Vec::new();
                for _ in 0..count.div_ceil(strategy.users) {
                    let own_video = strategy.owns_film.then(|| {
                        owners.insert(durations_s.len(), users);
                        durations_s.push(FILM_S);
                        durations_s.len() - 1
                    });
                    let own: Vec<usize> = (users..users + strategy.users).collect();
                    users += strategy.users;
                    accounts.push((own, own_video));
                }
                planned.push((*strategy, accounts));
            }
        }
        let scene = Arc::new(Scene {
            rules: plan.rules,
            timezone: "Asia/Seoul".parse().unwrap(),
            durations_s,
            films: FILMS,
            episodes: EPISODES,
            began_micros,
            until_micros: began_micros + plan.elapsed_s * S,
        });
        let account = |(users, own_video): (Vec<usize>, Option<usize>)| Account {
            scene: Arc::clone(&scene),
            seed: plan.seed + users[0] as u64,
            users,
            own_video,
        };
        let groups = planned.into_iter().map(|(strategy, accounts)| Group {
            strategy,
            accounts: accounts.into_iter().map(account).collect(),
        });
        Self {
            groups: groups.collect(),
            scene,
            users,
            owners,
        }
    }
}

/// Runs all strategies on the embedded intake. `show` receives the rows of each run at its end.
pub async fn embedded(plan: &Plan, show: impl Fn(&[Row])) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |found: Vec<Row>| {
        show(&found);
        rows.extend(found);
    };
    let honest = Honest::of(&plan.rules, float(plan.elapsed_s));
    add(run(plan, SHARED, None, honest).await);
    add(run(plan, &[CLOCK], None, honest).await);
    // Half of the time each.
    let shorter = f64::from(shorter(plan.rules.ad_interval_s));
    let with_change = Honest {
        ad_views: (honest.ad_views + honest.seconds / shorter) / 2.0,
        ..honest
    };
    add(run(plan, &[RULES], None, with_change).await);
    let days = Plan {
        elapsed_s: 7 * 86_400,
        ..plan.clone()
    };
    let honest = Honest::of(&days.rules, float(days.elapsed_s));
    add(run(&days, &[EXPIRY], Some(3_600), honest).await);
    rows
}

async fn run(
    plan: &Plan,
    strategies: &[Strategy],
    resume_ttl_s: Option<u32>,
    honest: Honest,
) -> Vec<Row> {
    let mut rows = Vec::new();
    // Clients that change the clock or the rules disturb each other.
    let casts: Vec<Plan> = match strategies.len() {
        1 => plan
            .accounts
            .iter()
            .map(|count| Plan {
                accounts: vec![*count],
                ..plan.clone()
            })
            .collect(),
        _ => vec![plan.clone()],
    };
    for plan in casts {
        let began_micros = at(MIDNIGHT) - plan.elapsed_s / 2 * S;
        let cast = Cast::new(&plan, began_micros, strategies);
        let mut simulated = Simulated::new(&cast.scene, cast.users, &cast.owners).await;
        if let Some(ttl_s) = resume_ttl_s {
            simulated.set_resume_ttl(ttl_s);
        }
        let clients = cast.groups.iter().flat_map(Group::clients).collect();
        simulated.run(clients).await;
        let totals = simulated.totals().await;
        rows.extend(cast.groups.iter().map(|group| Row {
            strategy: group.strategy.name,
            accounts: group.users().count(),
            intake: "embedded".to_owned(),
            totals: group.totals(&totals),
            honest,
        }));
    }
    rows
}

#[expect(clippy::cast_precision_loss, reason = "seconds of some days")]
const fn float(seconds: i64) -> f64 {
    seconds as f64
}
