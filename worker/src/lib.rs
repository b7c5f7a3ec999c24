//! The worker: takes claims on partitions and works them in chunks.
//!
//! A ring from the queue ([`consumer`]), or the poll of the [`dispatcher`], starts a claim loop
//! ([`crew`]), which works one claim after the other ([`executor`]) by what its step does
//! ([`steps`]), while the [`heartbeat`] keeps its leases. The [`rescuer`] heals what the dead left,
//! the [`schedule`] launches days, and the [`pruner`] deletes what is old. In a fleet the [`drain`]
//! writes the intake's events into the history, and its [`refusals`] are kept.

pub mod settings;

mod consumer;

mod crew;

mod dispatcher;

mod drain;

mod executor;

mod heartbeat;

mod pruner;

mod refusals;

mod rescuer;

mod schedule;

mod steps;

mod worker;

pub use drain::Events;
pub use worker::Worker;
