//! A process of a program: its start, output and end.

use std::{
    fs::File,
    future::Future,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The longest that a process of a test may run.
pub const PROCESS_TIMEOUT: Duration = Duration::from_secs(180);
/// The interval between two checks of a condition.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Waits until a condition is true.
///
/// # Panics
/// If the condition is not true within [`PROCESS_TIMEOUT`].
pub fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = Instant::now() + PROCESS_TIMEOUT;
    while !is_true() {
        assert!(Instant::now() < end, "timed out waiting for {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Runs a future to completion.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Sends a signal to a process. The name is without `SIG`.
pub fn signal(process: u32, name: &str) {
    let done = Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status();
    assert!(done.unwrap().success(), "SIG{name} to process {process}");
}

/// The exit status and the output of a process.
#[derive(Debug)]
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn is_ok(&self) -> bool {
        self.status.success()
    }

    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// Asserts exit code 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.is_ok(), "{self:#?}");
        self
    }

    /// Asserts an exit code other than 0, no signal, and these words on standard error.
    #[track_caller]
    pub fn failed(self, words: &[&str]) -> Self {
        let code = self.status.code();
        assert!(code.is_some_and(|code| code != 0), "{self:#?}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in {self:#?}");
        }
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).expect(&self.stdout)
    }
}

/// A call of a program, before its start.
pub struct Call {
    command: Command,
    stdin: Option<PathBuf>,
}

impl Call {
    pub const fn new(command: Command) -> Self {
        Self {
            command,
            stdin: None,
        }
    }

    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.command.env(name, value.to_string());
        self
    }

    /// Sets the file that the process reads as its standard input.
    pub fn stdin(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdin = Some(path.into());
        self
    }

    pub fn start(mut self) -> Running {
        let output = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(output.path().join(name)).unwrap();
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
        Running { child, output }
    }

    pub fn run(self) -> Outcome {
        self.start().wait()
    }
}

/// A running process; dropping it kills the process.
pub struct Running {
    child: Child,
    output: TempDir,
}

impl Running {
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Returns the standard error of the process so far.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.output.path().join("stderr")).unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        signal(self.id(), "TERM");
    }

    /// Waits for the end of the process.
    pub fn wait(mut self) -> Outcome {
        until("the process's end", || self.has_ended());
        let output = |name: &str| {
            let bytes = std::fs::read(self.output.path().join(name)).unwrap();
            String::from_utf8(bytes).expect("output is UTF-8")
        };
        Outcome {
            status: self.child.wait().unwrap(),
            stdout: output("stdout"),
            stderr: output("stderr"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
