//! `balance backup` and `balance restore`.

use crate::{
    commands::events,
    output, progress,
    settings::{Database, Settings},
    wiring::{App, require_file},
};
use anyhow::{Context, bail};
use balance_service::{events::replay::ids, operations::restore};
use balance_store::{
    LockOutcome, Store,
    operations::{Actor, HighestIds},
};
use indicatif::HumanBytes;
use std::{io::ErrorKind, path::Path, process::ExitCode};

/// Copies the SQLite database to a new file. The copy is written in a temporary folder beside
/// it and then renamed, so that the file is never incomplete. Only its owner can read it.
pub(super) async fn run(settings: &Settings, file: &Path) -> anyhow::Result<ExitCode> {
    let database = settings.database.database()?;
    let Database::Sqlite(path) = &database else {
        bail!(
            "DATABASE_URL: `backup` copies an SQLite database; copy a database on a server with \
             `mysqldump --single-transaction`"
        );
    };
    require_file(&database)?;
    let target = std::path::absolute(file)?;
    let name = || format!("the backup {}", target.display());
    if target.symlink_metadata().is_ok() {
        bail!("{} already exists; it was not changed", target.display());
    }
    if belongs_to(&target, path) {
        bail!(
            "{} is the name of a file that SQLite or Balance keeps beside the database",
            target.display()
        );
    }
    let folder = target.parent().unwrap_or_else(|| Path::new("."));
    // A folder, because SQLite writes a journal beside the copy. A killed backup leaves only the folder.
    let inside = tempfile::Builder::new()
        .prefix(".balance-backup-")
        .tempdir_in(folder)
        .with_context(name)?;
    let temporary = tempfile::NamedTempFile::new_in(inside.path()).with_context(name)?;
    Store::backup_sqlite(path, temporary.path())
        .await
        .with_context(|| format!("the backup of {}", path.display()))?;
    temporary.as_file().sync_all().with_context(name)?;
    let copy = match temporary.persist_noclobber(&target) {
        Ok(copy) => copy,
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} already exists; it was not changed", target.display())
        }
        Err(error) => return Err(error.error).with_context(name),
    };
    // The name is durable after this.
    sync_folder(folder).with_context(name)?;
    let length = copy.metadata().with_context(name)?.len();
    output::line(&format!(
        "copied {} to {}: {}, integrity checked",
        path.display(),
        target.display(),
        HumanBytes(length)
    ));
    Ok(ExitCode::SUCCESS)
}

/// Completes the restore of the database, unless opening it has done so.
pub(super) async fn complete_restore(app: &App) -> anyhow::Result<ExitCode> {
    let (_lock, outcome) = app.join().await?;
    if outcome == LockOutcome::Shared {
        bail!(
            "other processes use the database; stop them first. `balance workers` lists workers; those \
             of the backup count as alive for LEASE_S after it was made"
        );
    }
    if app.completed_restore.is_some() {
        // The message was printed when the file was opened.
        return Ok(ExitCode::SUCCESS);
    }
    let store = app.store.as_ref();
    let completed = if app.is_file() {
        let seen = HighestIds::default();
        store.complete_restore(seen, &Actor::Console).await?
    } else {
        let (stream, retained) = events::checked_stream(app).await?;
        let bar = progress::count(0, "reading");
        let completed = restore::complete(
            store,
            stream.as_ref(),
            &retained,
            &Actor::Console,
            &mut |done, total| {
                bar.set_length(total);
                bar.set_position(done);
            },
        )
        .await;
        bar.finish_and_clear();
        let completed = completed?;
        output::line(&format!(
            "{} videos of after the backup, of which the event stream has plays, were registered",
            completed.videos
        ));
        if !completed.ads.is_empty() {
            output::line(&format!(
                "ads of after the backup, which the event stream names, were registered: {}",
                ids(&completed.ads)
            ));
        }
        completed.completed
    };
    output::line(&output::restored(&completed));
    Ok(ExitCode::SUCCESS)
}

/// The suffixes of the files beside a database.
const BESIDE: [&str; 6] = [
    "-journal",
    "-wal",
    "-shm",
    ".lock",
    ".import-lock",
    ".jwt-secret",
];

/// Returns whether a path is that of a file beside the database. A symbolic link to the database
/// counts as the database.
fn belongs_to(target: &Path, database: &Path) -> bool {
    let resolved = database.canonicalize();
    let resolved = resolved.as_deref().unwrap_or(database);
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    [database, resolved].into_iter().any(|database| {
        let is_beside = folder(target) == folder(database);
        is_beside
            && BESIDE.iter().any(|suffix| {
                let mut name = database.file_name().unwrap_or_default().to_owned();
                name.push(suffix);
                target.file_name() == Some(name.as_os_str())
            })
    })
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}
