//! The schema of the database: its versions, their migrations, and the tables of other programs.

pub(crate) mod file;
mod script;
pub(crate) mod server;
mod state;

pub(crate) use state::Schema;
