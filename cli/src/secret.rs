//! What access tokens are signed with: from the settings, or from a file beside the database.

use crate::settings::{Database, Settings};
use anyhow::Context;
use balance_api::Secrets;
use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

/// Behind the database's name.
const SUFFIX: &str = ".jwt-secret";

/// The secrets of the settings. A database that is a file has one of its own beside it, made when
/// it is first needed; whoever has several machines must give them the same one.
pub(crate) fn secrets(settings: &Settings) -> anyhow::Result<Secrets> {
    if let Some(text) = &settings.api.jwt_secret {
        return Secrets::parse(text).context("JWT_SECRET");
    }
    let Database::Sqlite(database) = settings.database()? else {
        anyhow::bail!(
            "JWT_SECRET: needed where the database is on a server, the same for every `balance \
             api`; `openssl rand -hex 32` makes one"
        );
    };
    let path = beside(&database);
    let name = || format!("the secret {}", path.display());
    let text = kept(&path).with_context(name)?;
    Secrets::parse(text.trim()).with_context(name)
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

/// What the file says, which is made where there is none. Whole or not at all, and for nobody but
/// its owner to read: temporary files are made so, and take a name only when they are written.
fn kept(path: &Path) -> std::io::Result<String> {
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
        // Another process was quicker.
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
        _ => fs::read_to_string(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = beside(&folder.path().join("balance.db"));
        let text = kept(&path).unwrap();
        assert!(Secrets::parse(&text).is_ok());
        assert_eq!(kept(&path).unwrap(), text);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing else is left");
    }
}
