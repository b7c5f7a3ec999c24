//! A process that serves the API, and can be restarted at the same address.

use super::Client;
use crate::process::{Call, Outcome, Running, block_on, free_port, until};

/// A process that serves the API; dropping it kills the process.
pub struct Server {
    running: Option<Running>,
    address: String,
    call: Box<dyn Fn() -> Call>,
}

impl Server {
    /// Starts the call at a separate address, and waits until the API is ready.
    pub fn start(call: impl Fn() -> Call + 'static) -> Self {
        let mut server = Self::new(call);
        server.restart();
        server
    }

    /// Starts the call at a separate address, and waits until the API answers that it is not ready.
    pub fn start_unready(call: impl Fn() -> Call + 'static) -> Self {
        let mut server = Self::new(call);
        server.launch();
        let client = server.client();
        until("the API to answer", || {
            let running = server.running.as_mut().unwrap();
            assert!(!running.has_ended(), "the API ended: {}", running.stderr());
            block_on(client.is_unready())
        });
        server
    }

    fn new(call: impl Fn() -> Call + 'static) -> Self {
        Self {
            running: None,
            address: format!("127.0.0.1:{}", free_port()),
            call: Box::new(call),
        }
    }

    /// Starts the call again after its end, and waits until the API is ready.
    pub fn restart(&mut self) {
        self.launch();
        let client = self.client();
        until("the API to be ready", || {
            let running = self.running.as_mut().unwrap();
            assert!(!running.has_ended(), "the API ended: {}", running.stderr());
            block_on(client.is_ready())
        });
    }

    /// Starts the call without waiting for the API.
    pub fn launch(&mut self) {
        let call = (self.call)()
            .env("LISTEN_ADDR", &self.address)
            // All clients of a test have one address.
            .env("ADDRESS_LIMIT_PER_MINUTE", 1_000_000);
        self.running = Some(call.start());
    }

    /// Sends SIGKILL, and waits for the end of the process.
    pub fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        running.kill();
        assert!(running.wait().was_killed());
    }

    /// Sends SIGTERM, and waits for the end of the process.
    pub fn end(mut self) -> Outcome {
        let running = self.running.take().unwrap();
        running.terminate();
        running.wait()
    }

    /// Returns the standard error of the process since its last start.
    pub fn stderr(&self) -> String {
        self.running.as_ref().unwrap().stderr()
    }

    pub fn client(&self) -> Client {
        Client::new(&self.base())
    }

    /// Returns the base URL of the API.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}
