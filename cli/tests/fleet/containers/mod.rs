//! The services of `docker-compose.yml`, without a container engine.

mod images;
mod services;
