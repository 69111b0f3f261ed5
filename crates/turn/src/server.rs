//! Servers.

mod binding;
mod rate_limit;

pub use binding::{
    Answer, BindingConfig, BindingServer, BindingStats, MAX_RESPONSE, Silence, SoftwareTooLong,
};
pub use rate_limit::RateLimit;
