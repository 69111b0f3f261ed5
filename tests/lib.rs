//! What the two-party tests share.

#![forbid(unsafe_code)]
