//! The client generators of other languages, installed below the target folder once for each set of
//! pinned versions.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

/// Returns the folder of the sources of the clients.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Runs a command, and returns its output.
///
/// # Panics
/// If the command fails; the message has its output.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{error}: {command:?}"));
    let text = [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat();
    assert!(
        output.status.success(),
        "{:?} ended with {}:\n{text}",
        command.get_program(),
        output.status
    );
    text
}

/// Python with the packages of `requirements.txt`.
pub(crate) struct Python(PathBuf);

impl Python {
    pub(crate) fn installed() -> Self {
        let requirements = sources().join("python/requirements.txt");
        let version = run(Command::new("python3").arg("--version"));
        let key = [version, fs::read_to_string(&requirements).unwrap()];
        let folder = installed("python", &key, |folder| {
            run(Command::new("python3").arg("-m").arg("venv").arg(folder));
            run(Command::new(folder.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .arg("--requirement")
                .arg(&requirements));
        });
        Self(folder)
    }

    /// Returns a command of the environment: `python`, or that of a package.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.0.join("bin").join(name))
    }
}

/// Node packages of the lock file.
pub(crate) struct Node(PathBuf);

impl Node {
    pub(crate) fn installed() -> Self {
        let files = ["package.json", "package-lock.json"]
            .map(|name| (name, sources().join("typescript").join(name)));
        let texts = files
            .clone()
            .map(|(_, path)| fs::read_to_string(path).unwrap());
        let version = run(Command::new("node").arg("--version"));
        let folder = installed("typescript", &(version, texts), |folder| {
            fs::create_dir(folder).unwrap();
            for (name, from) in files {
                fs::copy(from, folder.join(name)).unwrap();
            }
            run(Command::new("npm")
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                .arg("--no-update-notifier")
                .current_dir(folder));
        });
        Self(folder)
    }

    /// Returns the folder of the packages.
    pub(crate) fn modules(&self) -> PathBuf {
        self.0.join("node_modules")
    }

    /// Returns a command of a package.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.modules().join(".bin").join(name))
    }
}

/// Returns the folder of an installation, identified by its versions. Concurrent processes wait for
/// the installation.
fn installed(name: &str, key: &impl Hash, install: impl FnOnce(&Path)) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    fs::create_dir_all(&all).unwrap();
    let folder = all.join(format!("{name}-{:016x}", hasher.finish()));
    let lock = File::create(all.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    // Written last: a folder without this file is an incomplete installation.
    let done = folder.join("installed");
    if !done.exists() {
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        install(&folder);
        File::create(done).unwrap();
    }
    folder
}
