//! `balance demo`.

use crate::{
    args::Demo,
    commands::{import, watch},
    demo::{DemoData, DemoSpec},
    output::{self, report as print},
    progress,
    settings::{DEFAULT_TIMEZONE, Database, Settings},
    wiring::{App, LocalWorker},
};
use anyhow::{Context, bail};
use async_trait::async_trait;
use balance_batch::status::BatchStatus;
use balance_domain::{period::PeriodKind, playback::Play};
use balance_service::reports::Reports;
use balance_store::{
    FileUse, LockOutcome, ProcessLock, Store,
    import::{MAX_PLAY_BATCH, PlayImportError, PlaySource, SourcedPlay},
    operations::Actor,
    reports::TopBy,
};
use chrono::{Days, NaiveDate};
use indicatif::ProgressBar;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

/// A Monday; the following two weeks are in one month.
const FIRST_DATE: Option<NaiveDate> = NaiveDate::from_ymd_opt(2026, 3, 2);
const DAY_COUNT: u32 = 14;
/// Number of creators and executions shown.
const SHOWN: u32 = 5;

pub(super) async fn run(settings: Settings, args: Demo) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let path = std::path::absolute(&args.dir)?.join("balance.db");
    if args.reset {
        delete(&path).await?;
    }
    let database = Database::Sqlite(path.clone());
    let app = App::open_at(settings, &database, FileUse::Create).await?;
    let result = match app.store.is_empty().await {
        Ok(true) => {
            let spec = DemoSpec {
                seed: args.seed,
                play_count: usize::try_from(args.plays)?,
                first_date: FIRST_DATE.unwrap_or_default(),
                day_count: DAY_COUNT,
                timezone: app
                    .settings
                    .database
                    .business_timezone
                    .unwrap_or(DEFAULT_TIMEZONE),
            };
            generate(&app, &spec, &path, began).await
        }
        Ok(false) => keep_existing(&app, &path).await,
        Err(error) => Err(error.into()),
    };
    app.close().await;
    result
}

/// Leaves existing data unchanged. Fails unless it is completely settled.
async fn keep_existing(app: &App, path: &Path) -> anyhow::Result<ExitCode> {
    let is_settled = app.store.first_unsettled_day().await?.is_none()
        && app.store.closed_through().await?.is_some();
    if is_settled {
        output::line(&format!(
            "{} already contains data: nothing was changed (--reset starts over)",
            path.display()
        ));
        return Ok(ExitCode::SUCCESS);
    }
    bail!(
        "{} contains an interrupted demo or other data: nothing was changed \
         (--reset deletes it and starts over)",
        path.display()
    );
}

/// Deletes the files of the database only. Fails if another process uses it, or if it belongs to
/// another program.
async fn delete(path: &Path) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let name = || format!("the database {}", path.display());
    Store::check_sqlite(path).await.with_context(name)?;
    let lock_path = Store::lock_path(path);
    let (_lock, outcome) = ProcessLock::take(&lock_path)?;
    if outcome == LockOutcome::Shared {
        bail!("another process uses {}", path.display());
    }
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let file = PathBuf::from(name);
        match std::fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        }
    }
    Ok(())
}

async fn generate(
    app: &App,
    spec: &DemoSpec,
    path: &Path,
    began: Instant,
) -> anyhow::Result<ExitCode> {
    let data = DemoData::new(spec);
    output::line(&format!(
        "{} users, {} videos, {} ads",
        data.users.len(),
        data.videos.len(),
        data.ad_count
    ));
    let rules = import::rules(app, u32::try_from(data.ad_count)?).await?;
    app.store.register(&data.users, &data.videos).await?;
    app.store.import_balances(&data.opening_balances).await?;
    let bar = progress::count(u64::try_from(spec.play_count)?, "importing");
    let mut plays = DemoPlays {
        plays: Box::new(data.plays(spec)),
        bar: bar.clone(),
    };
    let imported = app
        .store
        .import_plays(&mut plays, rules, "demo", &Actor::Console)
        .await;
    drop(plays);
    bar.finish_and_clear();
    import::print(&imported?.counts);

    let local_worker = app.local_worker(false).await?;
    let settled = settle_days(app, &local_worker).await;
    local_worker.stop().await;
    if !settled? {
        return Ok(ExitCode::FAILURE);
    }
    show(app, spec).await?;
    output::line(&format!(
        "done in {}; more commands:\n  export DATABASE_URL=sqlite://{}\n  balance report revenue --date {} --period month\n  balance jobs list",
        progress::duration(began.elapsed()),
        path.display(),
        last_date(spec),
    ));
    Ok(ExitCode::SUCCESS)
}

/// Settles every day in order. Returns whether all days are COMPLETED.
async fn settle_days(app: &App, local_worker: &LocalWorker) -> anyhow::Result<bool> {
    let days = app.store.active_days(None, DAY_COUNT + 1).await?;
    let bar = progress::count(u64::try_from(days.len())?, "settling");
    for date in days {
        let id = local_worker.launcher.launch(date).await?.id;
        let execution = watch::until_ended(local_worker, id).await?;
        if execution.status != BatchStatus::Completed {
            bar.finish_and_clear();
            output::execution(&execution, &watch::all_steps(app.store.as_ref(), id).await?);
            return Ok(false);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(true)
}

fn last_date(spec: &DemoSpec) -> NaiveDate {
    let days = Days::new(u64::from(spec.day_count.saturating_sub(1)));
    spec.first_date
        .checked_add_days(days)
        .unwrap_or(spec.first_date)
}

/// Prints the reports of the last day and its month, and the executions.
async fn show(app: &App, spec: &DemoSpec) -> anyhow::Result<()> {
    let store = app.store.as_ref();
    let date = last_date(spec);
    let reports = Reports::new(Arc::clone(&app.store));
    for by in [TopBy::ViewCount, TopBy::PlayTime] {
        for kind in PeriodKind::ALL {
            let report = reports.top(date, kind, by).await?;
            print::top(&[(by, report)], output::Format::Table)?;
        }
    }
    let month = PeriodKind::Month.containing(date);
    print::creators(month, &store.top_creators(month, SHOWN).await?);
    print::total(month, &store.total(month, None).await?);
    let executions = store.executions(None, SHOWN).await?;
    output::executions(&executions);
    if let Some(last) = executions.first() {
        output::execution(last, &watch::all_steps(store, last.id).await?);
    }
    Ok(())
}

/// Provides the generated plays to the import.
struct DemoPlays<'a> {
    plays: Box<dyn Iterator<Item = Play> + Send + 'a>,
    bar: ProgressBar,
}

#[async_trait]
impl PlaySource for DemoPlays<'_> {
    async fn next(&mut self) -> Result<Vec<SourcedPlay>, PlayImportError> {
        let batch: Vec<SourcedPlay> = self
            .plays
            .by_ref()
            .take(MAX_PLAY_BATCH)
            .map(|play| SourcedPlay {
                play,
                file: 0,
                line: 0,
            })
            .collect();
        self.bar.inc(u64::try_from(batch.len()).unwrap_or(0));
        Ok(batch)
    }
}
