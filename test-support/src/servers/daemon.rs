//! The process of a server, which can be killed, frozen and restarted on the same port. It never
//! outlives the tests.

use super::Machine;
use crate::process::signal;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, mpsc},
};

/// Whether a program is installed.
pub fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Returns a command whose process dies with the thread that starts it, if `setpriv` (util-linux)
/// is installed. Killed tests then leave no process.
pub fn bound(program: &str) -> Command {
    static HAS_SETPRIV: LazyLock<bool> = LazyLock::new(|| is_installed("setpriv"));
    if !*HAS_SETPRIV {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// Starts a process from a thread that ends only with this process. A shared server must outlive
/// the test that starts it.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
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
    let spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    spawner.send(order).map_err(io::Error::other)?;
    answered.recv().map_err(io::Error::other)?
}

/// The process of a server; dropping it kills the process.
pub struct Daemon {
    program: &'static str,
    args: Vec<String>,
    log: PathBuf,
    machine: Option<Arc<Machine>>,
    child: Mutex<Child>,
}

impl Daemon {
    pub fn start(program: &'static str, args: Vec<String>, log: &Path) -> Self {
        Self::start_on(None, program, args, log)
    }

    /// Starts a server on a machine whose clock and disk the test controls.
    pub fn start_on(
        machine: Option<Arc<Machine>>,
        program: &'static str,
        args: Vec<String>,
        log: &Path,
    ) -> Self {
        let child = Mutex::new(launch(machine.as_deref(), program, &args, log));
        Self {
            machine,
            program,
            args,
            log: log.to_path_buf(),
            child,
        }
    }

    /// Sends SIGKILL, and waits for the end of the process.
    pub fn kill(&self) {
        let mut child = self.child();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends SIGTERM, and waits for the end of the process.
    pub fn stop(&self) {
        self.signal("TERM");
        self.child().wait().unwrap();
    }

    /// Starts the program with the same arguments after its end.
    pub fn restart(&self) {
        *self.child() = launch(self.machine.as_deref(), self.program, &self.args, &self.log);
    }

    /// Whether the process has ended.
    pub fn has_ended(&self) -> bool {
        self.child().try_wait().unwrap().is_some()
    }

    /// Sends a signal. The name is without `SIG`.
    pub fn signal(&self, name: &str) {
        signal(self.child().id(), name);
    }

    /// Asserts that the server has not ended by itself.
    #[track_caller]
    pub fn assert_runs(&self) {
        if let Some(status) = self.child().try_wait().unwrap() {
            let output = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("{} ended, {status}:\n{output}", self.program);
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

fn launch(machine: Option<&Machine>, program: &str, args: &[String], log: &Path) -> Child {
    let output = File::options().create(true).append(true).open(log).unwrap();
    let mut command = bound(program);
    command
        .args(args)
        .envs(machine.map(Machine::variables).into_iter().flatten())
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output);
    spawn(command).unwrap_or_else(|error| panic!("{program}: {error}"))
}
