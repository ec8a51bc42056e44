//! What people read, held by snapshots: help, tables, errors. The server is a fake that says what it was told to say.

mod errors;
mod fake;
mod help;
mod tables;
mod uploads;
