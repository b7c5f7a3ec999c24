//! The settings of the API.

use balance_api::{Limits, Origins};
use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ApiSettings {
    /// The address on which `serve` and `api` listen
    ///
    /// Range: address and port
    #[arg(long = "listen", env = "LISTEN_ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen_addr: SocketAddr,

    /// Secrets of access tokens: the first signs, all verify
    ///
    /// Range: 32 bytes or more each, at least 10 different; at most 8, comma-separated
    ///
    /// Default: generated beside an SQLite file
    #[arg(long, env = "JWT_SECRET", hide_env_values = true)]
    pub(crate) jwt_secret: Option<String>,

    /// Log-in and join attempts per minute and username
    ///
    /// Range: 1 or more
    #[arg(long, env = "LOGIN_LIMIT_PER_MINUTE", default_value = "10")]
    pub(crate) login_limit_per_minute: NonZeroU32,

    /// Log-in and join attempts per minute and client address
    ///
    /// Range: 1 or more
    #[arg(long, env = "ADDRESS_LIMIT_PER_MINUTE", default_value = "120")]
    pub(crate) address_limit_per_minute: NonZeroU32,

    /// Proxies in front of the API that append to `X-Forwarded-For`
    ///
    /// Range: 0 to 16
    #[arg(
        long,
        env = "TRUSTED_PROXY_HOPS",
        default_value_t = 0,
        value_parser = clap::value_parser!(u8).range(0..=16)
    )]
    pub(crate) trusted_proxy_hops: u8,

    /// Origins whose pages may call the API from a browser
    ///
    /// Range: at most 64 origins such as `https://app.example`, comma-separated
    #[arg(long, env = "CORS_ALLOWED_ORIGINS", value_parser = Origins::parse)]
    pub(crate) cors_allowed_origins: Option<Origins>,
}

impl ApiSettings {
    pub(crate) const fn limits(&self) -> Limits {
        Limits {
            account_per_minute: self.login_limit_per_minute,
            address_per_minute: self.address_limit_per_minute,
        }
    }

    /// Returns whether cookies require an encrypted connection: unless the API listens on a
    /// loopback address.
    pub(crate) const fn is_cookie_secure(&self) -> bool {
        match self.listen_addr.ip() {
            IpAddr::V4(address) => !address.is_loopback(),
            IpAddr::V6(address) => !address.is_loopback(),
        }
    }
}
