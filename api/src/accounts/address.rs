//! Where a request comes from.

use poem::{Addr, Request};
use std::net::{IpAddr, Ipv4Addr};

/// The address of a request's client. Each of the `proxies` that stand before the server (a
/// setting) adds the address that it was asked from to `X-Forwarded-For`; what stands further left
/// was written by whoever wanted to, and is not believed.
pub(crate) fn client(request: &Request, proxies: usize) -> IpAddr {
    let direct = match request.remote_addr().0 {
        Addr::SocketAddr(address) => address.ip(),
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    let Some(skipped) = proxies.checked_sub(1) else {
        return direct;
    };
    let headers = request.headers().get_all("X-Forwarded-For");
    let hops: Vec<&str> = headers
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let named = hops.iter().rev().nth(skipped);
    named
        .and_then(|hop| hop.trim().parse().ok())
        .unwrap_or(direct)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let request = Request::builder()
            .header("X-Forwarded-For", "198.51.100.66, 192.0.2.7, 10.0.0.1")
            .finish();
        let of = |proxies| client(&request, proxies).to_string();
        assert_eq!(of(0), "0.0.0.0", "the connection's own");
        assert_eq!(of(1), "10.0.0.1");
        assert_eq!(of(2), "192.0.2.7");
        assert_eq!(of(9), "0.0.0.0");
    }
}
