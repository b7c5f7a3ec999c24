//! Opening, migrating and closing a database.

use crate::sql::{
    backup,
    db::Db,
    fault,
    journal::beside,
    migration::{Schema, file, server},
};
use crate::{StoreError, StoreResult, id_guard::IdGuard, playback::timer::IntakeTimer};
use balance_domain::clock::{Clock, SystemClock};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The idle time after which a server ends the session of a migration, in seconds.
const MIGRATION_IDLE_S: u32 = 600;

/// An open database with the current schema.
pub struct Store {
    pub(crate) db: Db,
    /// The time of the embedded intake in this process.
    pub(crate) intake_time: IntakeTimer,
    pub(crate) ids: IdGuard,
}

/// What a process does with an SQLite file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileUse {
    /// It only reads: the file must exist and have this program's schema.
    Read,
    /// It writes: the file must exist and have a schema. An older schema is migrated.
    Write,
    /// It writes, and creates a missing file.
    Create,
}

impl Store {
    fn new(db: Db) -> Self {
        Self {
            db,
            intake_time: IntakeTimer::default(),
            ids: IdGuard::default(),
        }
    }

    /// Opens an SQLite file and migrates its schema to this program's version. Creates the file and
    /// its folder if they are missing. `readers` is the number of connections that read.
    ///
    /// # Errors
    /// If the file cannot be used, is locked, belongs to another program, or was migrated by a newer
    /// program.
    pub async fn open_sqlite(
        path: &Path,
        readers: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        Self::open_sqlite_to(FileUse::Create, path, readers, clock).await
    }

    /// Opens an SQLite file. A file of another program is not changed, and gets no journal.
    ///
    /// # Errors
    /// If the file cannot be used, is locked, belongs to another program, or was migrated by a newer
    /// program. Unless it is created, also if it is missing or has no tables. To read, also if its
    /// schema is older.
    pub async fn open_sqlite_to(
        file_use: FileUse,
        path: &Path,
        readers: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        let schema = Self::file_schema(path).await?;
        let has_schema = matches!(schema, Some(Schema::Own(_)));
        match (file_use, schema) {
            (FileUse::Read | FileUse::Write, None) => {
                return Err(StoreError::Unusable("the file does not exist".to_owned()));
            }
            (FileUse::Read, Some(schema)) => {
                schema.check_current_file()?;
                let db = Db::read_sqlite(path, readers, clock).await?;
                return Ok(Self::new(db));
            }
            (FileUse::Write | FileUse::Create, Some(schema)) => schema.check_file()?,
            (FileUse::Create, None) => {}
        }
        if file_use == FileUse::Write && !has_schema {
            return Err(StoreError::Unusable(
                "the file has no tables; `balance migrate` creates them".to_owned(),
            ));
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| {
                StoreError::Unusable(format!(
                    "failed to create the database folder {}: {error}",
                    folder.display()
                ))
            })?;
        }
        let db = Db::open_sqlite(path, readers, clock).await?;
        file::migrate(&db).await?;
        Ok(Self::new(db))
    }

    /// Checks that an SQLite file, if it exists, does not belong to another program. Changes nothing.
    ///
    /// # Errors
    /// If the file has tables of another program, or cannot be read.
    pub async fn check_sqlite(path: &Path) -> StoreResult<()> {
        match Self::file_schema(path).await? {
            Some(schema) => schema.check_file(),
            None => Ok(()),
        }
    }

    /// Copies the last committed state of an SQLite file to an empty file, marks the copy as a backup and
    /// checks it. Other processes can use the file meanwhile. Its schema can be older than this program's.
    ///
    /// # Errors
    /// If the file has no schema or the one of another program, cannot be read, or its copy is damaged.
    pub async fn backup_sqlite(path: &Path, copy: &Path) -> StoreResult<()> {
        match Self::file_schema(path).await? {
            Some(schema @ Schema::Foreign(_)) => schema.check_file()?,
            Some(Schema::Own(_)) => return backup::backup(path, copy).await,
            Some(Schema::Empty) | None => {}
        }
        Err(StoreError::Unusable("the file has no tables".to_owned()))
    }

    /// Returns the schema of a file, `None` if there is no file.
    async fn file_schema(path: &Path) -> StoreResult<Option<Schema>> {
        match std::fs::metadata(path) {
            // A new file is empty until its first transaction.
            Ok(file) if file.len() == 0 => Ok(Some(Schema::Empty)),
            Ok(_) => file::schema(path).await.map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Unusable(format!(
                "failed to open the database file: {error}"
            ))),
        }
    }

    /// Opens a database of a MySQL or MariaDB server with at most `connections` connections. The
    /// server ends a session and releases its locks after `idle_s` seconds without a statement.
    ///
    /// # Errors
    /// If the server is unavailable or denies access, or if the schema has another version than this
    /// program.
    pub async fn open_mysql(
        url: &str,
        connections: u32,
        idle_s: u32,
        clock: Arc<dyn Clock>,
    ) -> StoreResult<Self> {
        let db = Db::open_mysql(url, connections, idle_s, clock).await?;
        server::check(&db).await?;
        Ok(Self::new(db))
    }

    /// Migrates the schema of a server's database to this program's version. A migration that was
    /// interrupted continues.
    ///
    /// # Errors
    /// If the server is unavailable, the database belongs to another program, or the schema was migrated
    /// by a newer program.
    pub async fn migrate_mysql(url: &str) -> StoreResult<()> {
        let db = Db::open_mysql(url, 1, MIGRATION_IDLE_S, Arc::new(SystemClock)).await?;
        let result = server::migrate(&db).await;
        db.close().await;
        result
    }

    /// Returns the path of the lock file of an SQLite file.
    #[must_use]
    pub fn lock_path(path: &Path) -> PathBuf {
        beside(path, ".lock")
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.db.close().await;
        fault::report_commits();
    }
}
