//! What the two-party tests share.
