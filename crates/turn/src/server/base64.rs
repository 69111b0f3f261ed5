//! Base64 (RFC 4648 §4), in one direction.

/// How many digits `len` bytes take, the padding included.
pub(super) const fn encoded_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes the digits of `bytes` to the start of `out`, which has room for them.
pub(super) fn encode(bytes: &[u8], out: &mut [u8]) {
    for (group, digits) in bytes.chunks(3).zip(out.chunks_mut(4)) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, digit) in digits.iter_mut().enumerate() {
            *digit = if at > group.len() { b'=' } else { DIGITS[(bits >> (18 - 6 * at)) as usize % 64] };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec;

    use super::*;

    #[test]
    fn the_examples_of_rfc_4648_section_10() {
        let examples = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (text, expected) in examples {
            let mut out = vec![0; encoded_len(text.len())];
            encode(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
