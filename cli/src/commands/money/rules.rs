//! `balance rules`.

use crate::{
    args::{NewRules, Rules},
    output, progress,
    wiring::App,
};
use balance_service::settings::rule_differences;
use balance_store::operations::Actor;
use std::process::ExitCode;

pub(in crate::commands) async fn run(app: &App, rules: Rules) -> anyhow::Result<ExitCode> {
    match rules {
        Rules::Show { json } => {
            let stored = app.store.play_rules().await?;
            if json {
                output::play_rules_json(stored.as_ref())?;
            } else {
                output::play_rules(stored.as_ref());
            }
        }
        Rules::Set(new) => set(app, new).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn set(app: &App, new: NewRules) -> anyhow::Result<()> {
    app.check_ids_of_command().await?;
    // In a new database, the settings are version 1 and the options version 2.
    let given = app.settings.playback.rules.given();
    let before = app.store.play_rules_or_insert(&given).await?;
    let change = new.change();
    app.store.check_new_ids()?;
    let stored = app.store.set_play_rules(&change, &Actor::Console).await?;
    let version = stored.version;
    if version == before.version {
        output::line(&format!("unchanged: version {version} has these rules"));
        return Ok(());
    }
    output::line(&format!("stored version {version}: {}", stored.rules));
    let changed = rule_differences(&change, &before.rules);
    let names: Vec<&str> = changed.iter().map(|rule| rule.name).collect();
    progress::line(&format!(
        "running processes use it within seconds; a process with another value of {} is rejected at \
         its next start",
        names.join(", ")
    ));
    Ok(())
}
