//! A process with the API: started, killed and started again at the same address.

use super::{
    client::Client,
    port::free_port,
    program::{Call, Outcome, Running, block_on, until},
};

/// A process that serves the API; dies with its value.
pub(crate) struct Server {
    running: Option<Running>,
    address: String,
    call: Box<dyn Fn() -> Call>,
}

impl Server {
    /// Starts what a call makes, at an address of its own, and waits until it is ready.
    pub(crate) fn start(call: impl Fn() -> Call + 'static) -> Self {
        let mut server = Self {
            running: None,
            address: format!("127.0.0.1:{}", free_port()),
            call: Box::new(call),
        };
        server.start_again();
        server
    }

    /// The same once more, after its end.
    pub(crate) fn start_again(&mut self) {
        self.launch();
        let client = self.client();
        until("the API to be ready", || {
            let running = self.running.as_mut().unwrap();
            assert!(!running.has_ended(), "the API ended: {}", running.stderr());
            block_on(client.is_ready())
        });
    }

    /// The same, without waiting for anything.
    pub(crate) fn launch(&mut self) {
        let call = (self.call)()
            .env("LISTEN_ADDR", &self.address)
            // Everybody in a test comes from one address.
            .env("ADDRESS_LIMIT_PER_MINUTE", 1_000_000);
        self.running = Some(call.start());
    }

    /// SIGKILL, and the wait for its end.
    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        running.kill();
        assert!(running.wait().was_killed());
    }

    /// SIGTERM, and the wait for its end.
    pub(crate) fn end(mut self) -> Outcome {
        let running = self.running.take().unwrap();
        running.terminate();
        running.wait()
    }

    /// What it has said on standard error since its last start.
    pub(crate) fn stderr(&self) -> String {
        self.running.as_ref().unwrap().stderr()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.base())
    }

    /// Where it is: the beginning of every address.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}
