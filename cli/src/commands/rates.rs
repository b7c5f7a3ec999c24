//! `balance rates`.

use super::{display_name, open_source};
use crate::{app::App, args::Rates, output};
use anyhow::Context;
use balance_core::{
    domain::rate::RateVersion, port::audit::Actor, service::import::rate_file::read_rates,
};
use std::process::ExitCode;

pub(super) async fn run(app: &App, rates: Rates) -> anyhow::Result<ExitCode> {
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
            app.store.set_rates(&version, &Actor::Console).await?;
            output::line(&format!("stored; pays from {effective_from}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
