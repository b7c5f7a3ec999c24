//! The commands of the program.

mod admin;
mod backup;
mod demo;
mod dispatch;
mod events;
mod import;
mod jobs;
mod money;
mod report;
mod serve;
mod settle;
mod source;
mod verify;
mod watch;
mod workers;

pub(crate) use dispatch::run;
