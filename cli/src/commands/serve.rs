//! `balance serve`.

use super::watch;
use crate::{app::App, progress, shutdown};
use anyhow::Context;
use balance_api::Api;
use std::{process::ExitCode, sync::Arc};

pub(super) async fn run(app: &App) -> anyhow::Result<ExitCode> {
    let crew = app.start_worker().await?;
    let api = Api {
        store: Arc::clone(&app.store),
    };
    let address = app.settings.listen_addr;
    progress::line(&format!("listening on http://{address}"));
    let served = balance_api::serve(api, address, shutdown::requested()).await;
    watch::stop(crew).await;
    served.with_context(|| format!("listening on {address}"))?;
    Ok(ExitCode::SUCCESS)
}
