//! What Balance is: the rules of the business, the batch engine, the ports and their adapters.
//!
//! Read in this order: [`domain`] (the rules, pure), [`batch`] (jobs, steps, partitions, pure),
//! [`port`] (what the rules need from outside), [`service`] (the use cases), then the adapters
//! [`store`], [`queue`] and [`intake`].

pub mod domain;

pub mod batch;

pub mod port;

pub mod service;

pub mod trace;

mod connection;

pub mod intake;
pub mod queue;
pub mod store;
