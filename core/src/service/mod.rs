//! The use cases.

pub mod import;

pub mod launcher;

pub mod jobs;

pub mod listing;

pub mod accounts;

pub mod passwords;

pub mod videos;

pub mod playback;

pub mod events;

pub mod schedule;

pub mod reports;

pub mod settings;

pub mod tally;

pub mod observation;

pub mod verification;
