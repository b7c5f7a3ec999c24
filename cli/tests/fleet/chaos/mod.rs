//! Randomised failure tests: chaos runs and the faults that they inject.

mod faults;
mod plays;
mod runs;
