//! Free ports of the loopback interface.

use rand::RngExt;
use std::net::TcpListener;

/// Ports below the ephemeral range. A connection to a stopped server could otherwise get the
/// server's own port, and connect to itself.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// Returns a port of the loopback interface that is free now.
pub fn free_port() -> u16 {
    let mut rng = rand::rng();
    std::iter::repeat_with(|| rng.random_range(PORTS))
        .take(1_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
