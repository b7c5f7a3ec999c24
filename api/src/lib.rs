//! The HTTP API: resources of `poem-openapi`, from which the OpenAPI document is generated.

mod health;

mod server;

pub use server::{Api, serve};
