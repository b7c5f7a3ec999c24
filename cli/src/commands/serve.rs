//! `balance serve`, `balance api` and `balance worker`: the processes that stay.

use super::watch;
use crate::{app::App, progress, shutdown};
use anyhow::Context;
use balance_api::Api;
use balance_worker::settings::Duties;
use std::{process::ExitCode, sync::Arc};

/// API and worker in one process.
pub(super) async fn serve(app: &App) -> anyhow::Result<ExitCode> {
    let crew = app.start_worker(resident(app)).await?;
    let served = listen(app).await;
    let stopped = watch::stop(crew).await;
    served?;
    Ok(stopped)
}

/// The API alone: workers are other processes. Starts while the queue is away.
pub(super) async fn api(app: &App) -> anyhow::Result<ExitCode> {
    listen(app).await?;
    Ok(ExitCode::SUCCESS)
}

/// A worker alone.
pub(super) async fn worker(app: &App) -> anyhow::Result<ExitCode> {
    app.need_queue().await?;
    let crew = app.start_worker(resident(app)).await?;
    if let Some(worker) = &crew.worker {
        progress::line(&format!("worker {} is at work", worker.name()));
    }
    shutdown::requested().await;
    Ok(watch::stop(crew).await)
}

fn resident(app: &App) -> Duties {
    Duties::Resident {
        retention_days: app.settings.job_retention_days,
    }
}

async fn listen(app: &App) -> anyhow::Result<()> {
    let api = Api {
        store: Arc::clone(&app.store),
    };
    let address = app.settings.listen_addr;
    progress::line(&format!("listening on http://{address}"));
    balance_api::serve(api, address, shutdown::requested())
        .await
        .with_context(|| format!("listening on {address}"))
}
