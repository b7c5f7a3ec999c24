//! `balance clock`.

use crate::{args::Clock, output, wiring::App};
use balance_domain::clock::instant_text;
use balance_service::operations::clock::{Repaired, repair};
use balance_store::operations::Actor;
use std::process::ExitCode;

pub(in crate::commands) async fn run(app: &App, clock: Clock) -> anyhow::Result<ExitCode> {
    let Clock::Repair = clock;
    // Rejects a fleet without REDIS_URL.
    app.check_shards().await?;
    // The repair deletes entries as persisted, which a restored database may lack.
    app.check_ids().await?;
    let stream = app.stream();
    let repaired = repair(
        app.store.as_ref(),
        stream.as_deref(),
        app.clock.as_ref(),
        app.timezone,
        &Actor::Console,
    )
    .await?;
    for line in lines(&repaired) {
        output::line(&line);
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(repaired: &Repaired) -> Vec<String> {
    let Repaired { database, entries } = repaired;
    let now = instant_text(database.now_micros);
    if entries.is_none() && !database.has_changed() {
        return vec![format!("the clock is at {now}; nothing was ahead of it")];
    }
    let mut lines = Vec::new();
    if let Some(last) = database.last_micros {
        let last = instant_text(last);
        lines.push(format!(
            "set the last instant of the intake from {last} to {now}"
        ));
    }
    if let Some(entries) = entries {
        lines.push(format!(
            "set the event stream to {now}; deleted {entries} persisted entries of later times"
        ));
    }
    if let Some(through) = database.reopened_through {
        lines.push(format!(
            "opened the closed days from {} to {through}",
            database.today
        ));
    }
    for execution in &database.abandoned {
        lines.push(format!(
            "abandoned execution {execution}; when its day is over, run `balance jobs launch`"
        ));
    }
    if database.admitted > 0 {
        output::line(&format!(
            "added {} late events of days that are open again",
            database.admitted
        ));
    }
    if database.moved > 0 {
        lines.push(format!(
            "moved {} plays and pauses of later days to {}",
            database.moved, database.today
        ));
    }
    lines
}
