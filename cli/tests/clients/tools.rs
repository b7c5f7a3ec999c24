//! The tools of other languages that clients are made with: installed once for each set of pinned
//! versions, below the target folder.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of the clients' sources.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Runs a command to its end, and answers what it said.
///
/// # Panics
/// With all that it said, where it does not succeed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{error}: {command:?}"));
    let said =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let said = said.concat();
    assert!(
        output.status.success(),
        "{:?} ended with {}:\n{said}",
        command.get_program(),
        output.status
    );
    said
}

/// Python with all that the requirements name.
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

    /// A command of it: `python`, or one that a package brings.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.0.join("bin").join(name))
    }
}

/// The packages that the lock file names, for Node.
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

    /// The folder of the packages.
    pub(crate) fn modules(&self) -> PathBuf {
        self.0.join("node_modules")
    }

    /// A command that a package brings.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.modules().join(".bin").join(name))
    }
}

/// The folder in which something is installed, by its versions. Whoever comes while another one
/// installs it waits.
fn installed(name: &str, key: &impl Hash, install: impl FnOnce(&Path)) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    fs::create_dir_all(&all).unwrap();
    let folder = all.join(format!("{name}-{:016x}", hasher.finish()));
    let lock = File::create(all.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    // Written last: without it the folder is what somebody left who was killed.
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
