//! `balance workers`.

use crate::{app::App, output};
use std::process::ExitCode;

/// The most workers shown.
const SHOWN: u32 = 1_000;

pub(super) async fn run(app: &App, here: bool, json: bool) -> anyhow::Result<ExitCode> {
    let mut workers = app.store.workers(SHOWN).await?;
    if here {
        let host = app.settings.worker()?.identity.host;
        workers.retain(|worker| worker.identity.host == host);
    }
    if json {
        output::json(&output::workers_json(&workers))?;
    } else {
        output::workers(&workers);
    }
    let is_healthy = !here || workers.iter().any(|worker| worker.is_alive);
    Ok(if is_healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
