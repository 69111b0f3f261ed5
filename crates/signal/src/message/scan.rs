//! Depth and number of values of a JSON text, before anything is made of it.

use super::MessageError;

/// The deepest nesting: a message of ours has 4 levels.
pub(super) const MAX_DEPTH: usize = 8;
/// The most values: a welcome to a full room has some 5,000.
pub(super) const MAX_VALUES: usize = 8192;

/// One pass over the bytes, with no more than a depth and a count to remember.
pub(super) fn check(text: &str) -> Result<(), MessageError> {
    let (mut depth, mut values, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' | b':' => values += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(MessageError::TooDeep { at });
        }
        if values > MAX_VALUES {
            return Err(MessageError::TooMany { at });
        }
    }
    Ok(())
}
