//! The server against clients and drivers of a few lines.

mod allocate;
mod authentication;
mod client;
mod data;
mod driver;
mod hostile;
mod mobility;
mod peers;
mod properties;
mod refresh;
mod world;
