//! `balance import list` and `balance import undo`.

use crate::{args::Imports, output, wiring::App};
use balance_service::import::plays::imports;
use balance_store::{import::ImportId, operations::Actor};
use indicatif::HumanCount;
use std::process::ExitCode;

pub(in crate::commands) async fn run(app: &App, command: Imports) -> anyhow::Result<ExitCode> {
    match command {
        Imports::List { after, limit, json } => {
            let page = imports(app.store.as_ref(), after.map(ImportId), limit).await?;
            if json {
                output::imports_json(&page)?;
            } else {
                output::imports(&page);
            }
        }
        Imports::Undo { id } => {
            app.check_ids_of_command().await?;
            let undone = app.store.undo_import(ImportId(id), &Actor::Console).await?;
            output::line(&format!(
                "import {id} is undone: {} plays, {} ad views and {} ads removed",
                HumanCount(undone.plays),
                HumanCount(undone.ad_views),
                HumanCount(undone.ads),
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
