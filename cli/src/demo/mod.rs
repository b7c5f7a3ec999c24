//! The demo's data: users, videos and plays, generated from a seed.

mod data;
mod day;
mod generator;
mod opening;
mod people;
mod spec;
mod words;

pub(crate) use data::DemoData;
pub(crate) use spec::DemoSpec;
