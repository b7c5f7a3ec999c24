//! A TCP proxy of the loopback interface: the address of servers that take turns.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
};

/// A proxy in front of one of several servers. Existing connections stay on their server when the
/// target changes, as connections do when the address of a name changes.
pub struct Proxy {
    pub port: u16,
    target: Arc<AtomicU16>,
    has_ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts a proxy to a port of the loopback interface.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            target: Arc::new(AtomicU16::new(target)),
            has_ended: Arc::default(),
        };
        let (target, has_ended) = (Arc::clone(&proxy.target), Arc::clone(&proxy.has_ended));
        std::thread::spawn(move || accept(&listener, &target, &has_ended));
        proxy
    }

    /// Connects new connections to another port.
    pub fn switch(&self, target: u16) {
        self.target.store(target, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn accept(listener: &TcpListener, target: &AtomicU16, has_ended: &AtomicBool) {
    for client in listener.incoming() {
        if has_ended.load(Ordering::SeqCst) {
            return;
        }
        let target = target.load(Ordering::SeqCst);
        if let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", target))) {
            let _ = connect(client, server);
        }
    }
}

/// Copies both directions, until one side closes.
fn connect(client: TcpStream, server: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
        std::thread::spawn(move || {
            let _ = io::copy(&mut &from, &mut &to);
            for side in [from, to] {
                let _ = side.shutdown(Shutdown::Both);
            }
        });
    }
    Ok(())
}
