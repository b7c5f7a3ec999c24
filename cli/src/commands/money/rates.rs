//! `balance rates`.

use crate::{
    args::Rates,
    commands::source::{display_name, open_source},
    output,
    wiring::App,
};
use anyhow::Context;
use balance_domain::rates::RateVersion;
use balance_service::import::rate_file::read_rates;
use balance_store::operations::Actor;
use std::process::ExitCode;

pub(in crate::commands) async fn run(app: &App, rates: Rates) -> anyhow::Result<ExitCode> {
    match rates {
        Rates::Show => output::rates(&app.store.rate_versions().await?),
        Rates::Set {
            file,
            effective_from,
        } => {
            let (reader, _) = open_source(&file)?;
            let tiers = read_rates(reader, display_name(&file))?;
            let version =
                RateVersion::new(effective_from, tiers).with_context(|| display_name(&file))?;
            app.check_ids_of_command().await?;
            app.store.set_rates(&version, &Actor::Console).await?;
            output::line(&format!("stored; effective from {effective_from}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
