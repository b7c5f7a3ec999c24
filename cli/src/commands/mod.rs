//! The commands of the program.

mod admin;
mod backup;
mod demo;
mod dispatch;
mod events;
mod import;
mod jobs;
mod money;
mod operations;
mod report;
mod serve;
mod settle;
mod source;
mod verify;
mod watch;

pub(crate) use dispatch::run;
