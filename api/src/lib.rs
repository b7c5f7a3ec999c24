//! The HTTP API: resources of `poem-openapi`, from which the OpenAPI document is generated.

mod server;

mod auth;
mod errors;
mod extract;
mod middleware;
mod openapi;

mod accounts;
mod events;
mod jobs;
mod operations;
mod playback;
mod rates;
mod reports;
mod videos;

pub use accounts::limiter::Limits;
pub use auth::token::{Secrets, WeakSecret};
pub use middleware::cors::Origins;
pub use openapi::document::document;
pub use operations::metrics::Work;
pub use server::{Api, serve, serve_metrics};
