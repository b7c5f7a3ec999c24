//! A TCP proxy of the loopback interface: the address of servers that take turns.

use std::{
    io::{self, Read, Write},
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
    is_mute: Arc<AtomicBool>,
    has_ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts a proxy to a port of the loopback interface.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            target: Arc::new(AtomicU16::new(target)),
            is_mute: Arc::default(),
            has_ended: Arc::default(),
        };
        let (target, has_ended) = (Arc::clone(&proxy.target), Arc::clone(&proxy.has_ended));
        let is_mute = Arc::clone(&proxy.is_mute);
        std::thread::spawn(move || accept(&listener, &target, &is_mute, &has_ended));
        proxy
    }

    /// Loses the replies of the servers, or forwards them again. Requests are always forwarded.
    pub fn mute(&self, is_mute: bool) {
        self.is_mute.store(is_mute, Ordering::SeqCst);
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

fn accept(
    listener: &TcpListener,
    target: &AtomicU16,
    is_mute: &Arc<AtomicBool>,
    has_ended: &AtomicBool,
) {
    for client in listener.incoming() {
        if has_ended.load(Ordering::SeqCst) {
            return;
        }
        let target = target.load(Ordering::SeqCst);
        if let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", target))) {
            let _ = connect(client, server, is_mute);
        }
    }
}

/// Copies both directions, until one side closes.
fn connect(client: TcpStream, server: TcpStream, is_mute: &Arc<AtomicBool>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let requests = (client.try_clone()?, server.try_clone()?, Arc::default());
    let replies = (server, client, Arc::clone(is_mute));
    for (from, to, is_mute) in [requests, replies] {
        std::thread::spawn(move || {
            let _ = copy(&from, &to, &is_mute);
            for side in [from, to] {
                let _ = side.shutdown(Shutdown::Both);
            }
        });
    }
    Ok(())
}

/// Copies until the source closes, and loses what arrives while the direction is mute.
fn copy(mut from: &TcpStream, mut to: &TcpStream, is_mute: &AtomicBool) -> io::Result<()> {
    let mut buffer = vec![0; 16_384];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        if !is_mute.load(Ordering::SeqCst) {
            to.write_all(&buffer[..length])?;
        }
    }
}
