//! Fuzz target bodies, as plain functions that also run on stable.

#![forbid(unsafe_code)]
