//! The HTTP API: resources of `poem-openapi`, from which the OpenAPI document is generated.

mod problem;

mod fault;

mod failure;

mod framework;

mod exposition;

mod metrics;

mod cors;

mod edge;

mod body;

mod cursor;

mod idempotency;

mod language;

mod token;

mod auth;

mod address;

mod limiter;

mod tag;

mod accounts;

mod videos;

mod playback;

mod ads;

mod date;

mod job_status;

mod job_views;

mod progress;

mod job_events;

mod jobs;

mod job_control;

mod rates;

mod periods;

mod revenue_views;

mod top_views;

mod video_days;

mod representation;

mod reports;

mod operations;

mod events;

mod health;

mod server;

mod standard;

mod methods;

mod document;

pub use cors::Origins;
pub use document::document;
pub use limiter::Limits;
pub use metrics::Work;
pub use server::{Api, serve, serve_metrics};
pub use token::{Secrets, WeakSecret};
