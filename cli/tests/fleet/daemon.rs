//! A server's process: started, killed, frozen and started again on the same port; never left
//! behind.

use crate::common::program::signal;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{LazyLock, Mutex, MutexGuard, PoisonError, mpsc},
};

/// Why a test needs what is not there.
pub(crate) fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A command whose process dies with the thread that starts it, where the system has `setpriv`
/// (util-linux): whoever kills the tests leaves nothing running.
pub(crate) fn bound(program: &str) -> Command {
    static HAS_SETPRIV: LazyLock<bool> = LazyLock::new(|| is_installed("setpriv"));
    if !*HAS_SETPRIV {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// Starts a process from a thread that ends with this process only: a server outlives the test
/// that happened to be the first to need it.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static KEEPER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
        let (orders, incoming) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in incoming {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, answered) = mpsc::channel();
    let order = (command, answer);
    let keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    keeper.send(order).map_err(io::Error::other)?;
    answered.recv().map_err(io::Error::other)?
}

/// A server; dies with its value.
pub(crate) struct Daemon {
    program: &'static str,
    args: Vec<String>,
    log: PathBuf,
    child: Mutex<Child>,
}

impl Daemon {
    pub(crate) fn start(program: &'static str, args: Vec<String>, log: &Path) -> Self {
        let child = Mutex::new(launch(program, &args, log));
        Self {
            program,
            args,
            log: log.to_path_buf(),
            child,
        }
    }

    /// SIGKILL, and the wait for its end.
    pub(crate) fn kill(&self) {
        let mut child = self.child();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, and the wait for its end.
    pub(crate) fn stop(&self) {
        self.signal("TERM");
        self.child().wait().unwrap();
    }

    /// The same program with the same arguments once more, after its end.
    pub(crate) fn start_again(&self) {
        *self.child() = launch(self.program, &self.args, &self.log);
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child().id(), name);
    }

    /// Fails the test where the server has ended by itself.
    #[track_caller]
    pub(crate) fn assert_runs(&self) {
        if let Some(status) = self.child().try_wait().unwrap() {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("{} ended, {status}:\n{said}", self.program);
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn launch(program: &str, args: &[String], log: &Path) -> Child {
    let said = File::options().create(true).append(true).open(log).unwrap();
    let mut command = bound(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(said.try_clone().unwrap())
        .stderr(said);
    spawn(command).unwrap_or_else(|error| panic!("{program}: {error}"))
}
