//! The demo's data: people, videos and plays made from a seed.

mod cast;

mod day;

mod generator;

mod opening;

mod words;

pub(crate) use generator::{DemoData, DemoSpec};
