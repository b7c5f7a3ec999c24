//! `balance serve`, `balance api` and `balance worker`: the processes that stay.

use super::watch;
use crate::{api::Parts, app::App, progress, shutdown};
use anyhow::Context;
use balance_api::Api;
use balance_worker::settings::Duties;
use std::process::ExitCode;
use tokio::net::TcpListener;

/// API and worker in one process.
pub(super) async fn serve(app: &App) -> anyhow::Result<ExitCode> {
    // First, so that nothing is begun where another process has the address.
    let listener = bind(app).await?;
    let parts = Parts::of(app).await?;
    let requested = shutdown::requested();
    let crew = app.start_worker(resident(app)).await?;
    let api = parts.api(app, crew.launcher.clone());
    let served = listen(api, listener, requested).await;
    let stopped = watch::stop(crew).await;
    served?;
    Ok(stopped)
}

/// The API alone: workers are other processes. Starts while the fleet's Redis is away.
pub(super) async fn api(app: &App) -> anyhow::Result<ExitCode> {
    let listener = bind(app).await?;
    let (launcher, _backend) = app.launcher();
    let api = Parts::of(app).await?.api(app, launcher);
    listen(api, listener, shutdown::requested()).await?;
    Ok(ExitCode::SUCCESS)
}

/// A worker alone.
pub(super) async fn worker(app: &App) -> anyhow::Result<ExitCode> {
    app.need_queue().await?;
    // Before the registry shows it: whoever sees a worker can ask it to end.
    let requested = shutdown::requested();
    let crew = app.start_worker(resident(app)).await?;
    if let Some(worker) = &crew.worker {
        progress::line(&format!("worker {} is at work", worker.name()));
    }
    requested.await;
    Ok(watch::stop(crew).await)
}

fn resident(app: &App) -> Duties {
    Duties::Resident {
        retention_days: app.settings.job_retention_days,
    }
}

async fn bind(app: &App) -> anyhow::Result<TcpListener> {
    let address = app.settings.api.listen_addr;
    TcpListener::bind(address)
        .await
        .with_context(|| format!("LISTEN_ADDR: {address}"))
}

async fn listen(
    api: Api,
    listener: TcpListener,
    requested: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    progress::line(&format!("listening on http://{address}"));
    balance_api::serve(api, listener, requested)
        .await
        .with_context(|| format!("listening on {address}"))
}
