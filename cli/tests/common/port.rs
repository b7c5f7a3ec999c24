//! Ports of the loopback for servers of the tests' own.

use rand::RngExt;
use std::net::TcpListener;

/// Below the ports that connections get for their own end: one to a server that is away could be
/// given its port, and meet itself there.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A port of the loopback that is free now.
pub(crate) fn free_port() -> u16 {
    let mut rng = rand::rng();
    std::iter::repeat_with(|| rng.random_range(PORTS))
        .take(1_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
