//! The address of a request's client.

use poem::{Addr, Request};
use std::net::{IpAddr, Ipv4Addr};

/// Returns the address of a request's client behind a number of trusted proxies.
///
/// Each trusted proxy appends the address of its own client to `X-Forwarded-For`. Entries further
/// left come from untrusted clients and are ignored. Without a valid entry, the address of the
/// connection is returned.
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
    let entry = hops.iter().rev().nth(skipped);
    entry
        .and_then(|hop| hop.trim().parse().ok())
        .unwrap_or(direct)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entries_of_trusted_proxies_count() {
        let request = Request::builder()
            .header("X-Forwarded-For", "198.51.100.66, 192.0.2.7, 10.0.0.1")
            .finish();
        let of = |proxies| client(&request, proxies).to_string();
        assert_eq!(of(0), "0.0.0.0", "the address of the connection");
        assert_eq!(of(1), "10.0.0.1");
        assert_eq!(of(2), "192.0.2.7");
        assert_eq!(of(9), "0.0.0.0");
    }
}
