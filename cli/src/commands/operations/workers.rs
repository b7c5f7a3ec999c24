//! `balance workers`.

use crate::{output, wiring::App};
use std::process::ExitCode;

/// Maximum number of workers shown.
const SHOWN: u32 = 1_000;

pub(in crate::commands) async fn run(
    app: &App,
    here: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut workers = app.store.workers(SHOWN).await?;
    if here {
        let host = app.settings.processing.worker()?.identity.host;
        workers.retain(|worker| worker.identity.host == host);
    }
    let is_healthy = !here || workers.iter().any(|worker| worker.is_alive);
    if json {
        output::json(&output::workers_json(workers)?)?;
    } else {
        output::workers(&workers);
    }
    Ok(if is_healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
