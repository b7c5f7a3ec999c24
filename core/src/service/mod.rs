//! The use cases.

pub mod import;

pub mod launcher;

pub mod reports;

pub mod settings;
