//! Chapters for people.

pub mod embedding;
pub mod nat_types;
pub mod sans_io;
pub mod server;
