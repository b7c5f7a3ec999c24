//! The real binary: called, watched and waited for.

use std::{
    fs::File,
    future::Future,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// No process of a test may run longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(180);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Looks until a condition holds; fails the test where it never does.
pub(crate) fn until(what: &str, mut claims: impl FnMut() -> bool) {
    let end = Instant::now() + LONGEST;
    while !claims() {
        assert!(Instant::now() < end, "in vain waited for: {what}");
        std::thread::sleep(LOOK);
    }
}

/// Runs a future to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Sends a signal, by its name without SIG.
pub(crate) fn signal(process: u32, name: &str) {
    let done = Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status();
    assert!(done.unwrap().success(), "SIG{name} to process {process}");
}

/// What a test is told by an environment variable.
#[expect(
    clippy::disallowed_methods,
    reason = "what a test is told is no setting of the program"
)]
pub(crate) fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A file named by an environment variable; says what is skipped where there is none.
pub(crate) fn given(name: &str, what: &str) -> Option<String> {
    let value = told(name);
    if value.is_none() {
        eprintln!("SKIPPED: {what}; give it with {name}=…");
    }
    value
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn is_ok(&self) -> bool {
        self.status.success()
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// Exit code 0.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.is_ok(), "{self:#?}");
        self
    }

    /// An exit code that is not 0 (and no signal), with words on standard error.
    #[track_caller]
    pub(crate) fn failed(self, words: &[&str]) -> Self {
        let code = self.status.code();
        assert!(code.is_some_and(|code| code != 0), "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:#?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).expect(&self.stdout)
    }
}

/// A call of the binary that is being put together.
pub(crate) struct Call {
    command: Command,
    stdin: Option<PathBuf>,
}

impl Call {
    pub(crate) const fn new(command: Command) -> Self {
        Self {
            command,
            stdin: None,
        }
    }

    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.command.env(name, value.to_string());
        self
    }

    /// What the process reads from its standard input.
    pub(crate) fn stdin(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdin = Some(path.into());
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let said = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(said.path().join(name)).unwrap();
        self.command.stdin(match self.stdin {
            Some(path) => Stdio::from(File::open(path).unwrap()),
            None => Stdio::null(),
        });
        let child = self
            .command
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Running { child, said }
    }

    pub(crate) fn run(self) -> Outcome {
        self.start().wait()
    }
}

/// A process that runs; dies with its value.
pub(crate) struct Running {
    child: Child,
    said: TempDir,
}

impl Running {
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has said on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.said.path().join("stderr")).unwrap()
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        signal(self.id(), "TERM");
    }

    pub(crate) fn wait(mut self) -> Outcome {
        until("the process's end", || self.has_ended());
        let said = |name: &str| {
            let bytes = std::fs::read(self.said.path().join(name)).unwrap();
            String::from_utf8(bytes).expect("output is UTF-8")
        };
        Outcome {
            status: self.child.wait().unwrap(),
            stdout: said("stdout"),
            stderr: said("stderr"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
