//! `balance import`.

use crate::{
    args::ImportPlays,
    commands::source::{display_name, open_source},
    output, progress,
    wiring::App,
};
use balance_service::import::plays::{NamedSource, import_plays};
use balance_store::{
    import::{ImportRules, Imported, PlayCounts},
    operations::Actor,
};
use indicatif::{HumanCount, ProgressBar};
use std::{path::PathBuf, process::ExitCode, time::Instant};

pub(in crate::commands) async fn run(app: &App, plays: &ImportPlays) -> anyhow::Result<ExitCode> {
    app.check_ids_of_command().await?;
    let began = Instant::now();
    let (sources, bar) = open(&plays.files)?;
    let imported = import_plays(
        app.store.as_ref(),
        sources,
        ImportRules {
            link_accounts: plays.link_accounts,
            ..rules(app, plays.ads).await?
        },
        app.clock.now_micros(),
        app.folder(),
        &Actor::Console,
    )
    .await;
    bar.finish_and_clear();
    let Imported { id, counts } = imported?;
    print(&counts);
    output::line(&format!(
        "import {id}; `balance import undo {id}` removes it while its days are open"
    ));
    output::line(&progress::rate(counts.read, "plays", began.elapsed()));
    Ok(ExitCode::SUCCESS)
}

/// Opens all files before the first is read. One bar shows the progress of all.
fn open(files: &[PathBuf]) -> anyhow::Result<(Vec<NamedSource>, ProgressBar)> {
    let opened: Vec<_> = files
        .iter()
        .map(|path| Ok((display_name(path), open_source(path)?)))
        .collect::<anyhow::Result<_>>()?;
    let lengths: Option<u64> = opened.iter().map(|(_, (_, length))| *length).sum();
    let bar = match lengths {
        Some(total) => progress::bytes(total, "reading"),
        None => progress::spinner("reading"),
    };
    let sources = opened
        .into_iter()
        .map(|(name, (reader, _))| NamedSource {
            name,
            reader: Box::new(bar.wrap_read(reader)),
        })
        .collect();
    Ok((sources, bar))
}

/// Returns the rules of an import: the stored ones.
pub(in crate::commands) async fn rules(app: &App, ads: u32) -> anyhow::Result<ImportRules> {
    let stored = app.play_rules().await?;
    Ok(ImportRules {
        timezone: app.timezone,
        view_window_s: stored.rules.view_window_s,
        ad_interval_s: stored.rules.ad_interval_s,
        rules_version: stored.version,
        ads,
        link_accounts: false,
    })
}

/// Prints the counts of an import.
pub(in crate::commands) fn print(counts: &PlayCounts) {
    output::line(&format!(
        "{} read = {} new + {} already there + {} repeats within the window",
        HumanCount(counts.read),
        HumanCount(counts.new),
        HumanCount(counts.already_there),
        HumanCount(counts.repeats),
    ));
    output::line(&format!(
        "of new: {} counted, {} own; {} ad views",
        HumanCount(counts.counted),
        HumanCount(counts.own),
        HumanCount(counts.ad_views),
    ));
}
