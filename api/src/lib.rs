//! The HTTP API: `poem-openapi` resources, from which the OpenAPI document is generated.

mod resources;
mod server;
pub mod views;

mod auth;
mod errors;
mod extract;
mod middleware;
mod openapi;

mod accounts;
mod events;
mod jobs;
mod operations;
mod play_rules;
mod playback;
mod rates;
mod reports;
mod videos;

pub use accounts::limiter::Limits;
pub use auth::token::{Secrets, WeakSecret};
pub use middleware::cors::Origins;
pub use openapi::document::document;
pub use operations::metrics::ProcessWorker;
pub use server::{Api, serve, serve_metrics};
