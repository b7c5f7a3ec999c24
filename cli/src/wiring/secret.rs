//! The signing secrets of access tokens, from the settings or from a file beside the database.

use crate::settings::{Database, Settings};
use anyhow::Context;
use balance_api::Secrets;
use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

/// The suffix of the secret's file after the name of the database.
const SUFFIX: &str = ".jwt-secret";

const MISSING: &str = "JWT_SECRET: required for a database on a server, with the same value for every \
     `balance api`; `openssl rand -hex 32` generates one";

/// Rejects an invalid or missing `JWT_SECRET`. Creates no file.
pub(super) fn check(settings: &Settings) -> anyhow::Result<()> {
    match (&settings.api.jwt_secret, settings.database.database()?) {
        (Some(text), _) => Secrets::parse(text).map(|_| ()).context("JWT_SECRET"),
        (None, Database::Sqlite(_)) => Ok(()),
        (None, Database::MySql(_)) => anyhow::bail!(MISSING),
    }
}

/// Returns the secrets of `JWT_SECRET`. Without it, an SQLite database has one secret in a file
/// beside it, created at the first use. All API processes of a fleet need the same secrets.
pub(super) fn secrets(settings: &Settings) -> anyhow::Result<Secrets> {
    if let Some(text) = &settings.api.jwt_secret {
        return Secrets::parse(text).context("JWT_SECRET");
    }
    let Database::Sqlite(database) = settings.database.database()? else {
        anyhow::bail!(MISSING);
    };
    let path = secret_path(&database);
    let name = || format!("the secret {}", path.display());
    let text = read_or_create(&path).with_context(name)?;
    Secrets::parse(text.trim()).with_context(name)
}

fn secret_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

/// Returns the text of a secret's file, which is created if missing. Only the owner can read the
/// file. It is written under a temporary name and then renamed, so that it is never incomplete.
fn read_or_create(path: &Path) -> std::io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read,
    }
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let bytes: [u8; 32] = rand::random();
    for byte in bytes {
        write!(file, "{byte:02x}")?;
    }
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        // If another process created the file meanwhile, its secret is used.
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
        _ => fs::read_to_string(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_created_once_and_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = secret_path(&folder.path().join("balance.db"));
        let text = read_or_create(&path).unwrap();
        assert!(Secrets::parse(&text).is_ok());
        assert_eq!(read_or_create(&path).unwrap(), text);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "the secret is the only file");
    }
}
