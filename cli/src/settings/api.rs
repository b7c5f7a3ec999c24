//! The API's share of the settings.

use balance_api::{Limits, Origins};
use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
};

/// The settings of `serve` and `api`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ApiSettings {
    /// The address that `serve` and `api` listen on
    #[arg(
        long = "listen",
        env = "LISTEN_ADDR",
        default_value = "127.0.0.1:8080",
        global = true
    )]
    pub(crate) listen_addr: SocketAddr,

    /// What access tokens are signed with: 32 bytes and more; several, separated by commas, while
    /// one takes the other's place [default: made and kept beside a database that is a file]
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, global = true)]
    pub(crate) jwt_secret: Option<String>,

    /// How often somebody may try to log in or to join with one username, each minute
    #[arg(
        long,
        env = "LOGIN_LIMIT_PER_MINUTE",
        default_value = "10",
        global = true
    )]
    pub(crate) login_limit_per_minute: NonZeroU32,

    /// How often somebody may try to log in or to join from one address, each minute
    #[arg(
        long,
        env = "ADDRESS_LIMIT_PER_MINUTE",
        default_value = "120",
        global = true
    )]
    pub(crate) address_limit_per_minute: NonZeroU32,

    /// Proxies between clients and the API, each of which adds to X-Forwarded-For; 0 where clients
    /// connect themselves
    #[arg(
        long,
        env = "TRUSTED_PROXY_HOPS",
        default_value_t = 0,
        global = true,
        value_parser = clap::value_parser!(u8).range(0..=16)
    )]
    pub(crate) trusted_proxy_hops: u8,

    /// Origins whose pages may use the API from a browser, such as `https://app.example`, separated
    /// by commas; none by default
    #[arg(
        long,
        env = "CORS_ALLOWED_ORIGINS",
        global = true,
        value_parser = Origins::parse
    )]
    pub(crate) cors_allowed_origins: Option<Origins>,
}

impl ApiSettings {
    /// How often somebody may try.
    pub(crate) const fn limits(&self) -> Limits {
        Limits {
            account_per_minute: self.login_limit_per_minute,
            address_per_minute: self.address_limit_per_minute,
        }
    }

    /// Whether cookies are for encrypted connections only: everywhere but on one's own machine.
    pub(crate) const fn is_cookie_secure(&self) -> bool {
        match self.listen_addr.ip() {
            IpAddr::V4(address) => !address.is_loopback(),
            IpAddr::V6(address) => !address.is_loopback(),
        }
    }
}
