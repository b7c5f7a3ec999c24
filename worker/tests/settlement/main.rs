//! Settling, end to end inside one process, on a real database.

mod figures;

mod world;
