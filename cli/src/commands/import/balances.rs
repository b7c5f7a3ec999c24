//! `balance import-balances`.

use crate::{
    commands::source::{display_name, open_source},
    output,
    wiring::App,
};
use balance_service::import::balance_file::read_balances;
use indicatif::HumanCount;
use std::{path::Path, process::ExitCode};

pub(in crate::commands) async fn run(app: &App, file: &Path) -> anyhow::Result<ExitCode> {
    app.check_ids_of_command().await?;
    let (reader, _) = open_source(file)?;
    let balances = read_balances(reader, display_name(file))?;
    let counts = app.store.import_balances(&balances).await?;
    output::line(&format!(
        "opening counts: {} new, {} changed, {} unchanged",
        HumanCount(counts.new),
        HumanCount(counts.changed),
        HumanCount(counts.unchanged),
    ));
    Ok(ExitCode::SUCCESS)
}
