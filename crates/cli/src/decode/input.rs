//! Where the bytes come from: hexadecimal digits as people paste them, or a file.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use crate::failure::Failure;

/// The most that is read: ten times the longest message in the wordiest notation.
const MAX_INPUT: u64 = 4 << 20;

/// What may stand between bytes.
const SEPARATORS: [char; 3] = [':', ',', '-'];

/// The bytes that the arguments name.
pub(crate) fn read(hex: &[String], file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    if let Some(path) = file {
        let cannot = |error| Failure::Failed(format!("cannot read {}: {error}", path.display()));
        let content = File::open(path).and_then(read_bounded).map_err(cannot)?;
        return from_content(&content)
            .map_err(|fault| Failure::Failed(format!("{}: {fault}", path.display())));
    }
    if hex.is_empty() || hex == ["-"] {
        if io::stdin().is_terminal() {
            let _ = writeln!(io::stderr(), "floe: reading hexadecimal digits; end them with Ctrl-D");
        }
        let cannot = |error| Failure::Failed(format!("cannot read the standard input: {error}"));
        let content = read_bounded(io::stdin().lock()).map_err(cannot)?;
        return from_content(&content).map_err(|fault| Failure::Failed(format!("standard input: {fault}")));
    }
    from_hex(&hex.join(" ")).map_err(|fault| Failure::Usage(with_hint(fault, hex)))
}

/// What is wrong with the digits, and what was meant if they name a file.
fn with_hint(fault: String, hex: &[String]) -> String {
    match hex.iter().find(|argument| Path::new(argument).is_file()) {
        Some(path) => format!("{fault}; to read a file: --file {path}"),
        None => fault,
    }
}

fn read_bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    source.take(MAX_INPUT + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_INPUT {
        return Err(io::Error::other("more than 4 MiB, which no message has"));
    }
    Ok(content)
}

/// Printable text holds digits, anything else the message itself: a message begins with bytes that no text has.
fn from_content(content: &[u8]) -> Result<Vec<u8>, String> {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match std::str::from_utf8(content) {
        Ok(text) if content.iter().all(is_text) => from_hex(text),
        _ => Ok(content.to_vec()),
    }
}

/// Reads pairs of digits. Columns and lines in the errors count from 1.
fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if let Some(offset) = leading_offset(line) {
            return Err(format!(
                "line {number} begins with the offset {offset}: give the bytes alone, as xxd -p prints them"
            ));
        }
        let mut column = 1;
        for run in line.split_inclusive(is_separator) {
            let digits = run.strip_suffix(is_separator).unwrap_or(run);
            read_run(digits, &mut bytes).map_err(|(at, what)| {
                format!("{what} at line {number}, column {}", column + digits[..at].chars().count())
            })?;
            column += run.chars().count();
        }
    }
    if bytes.is_empty() { Err("no hexadecimal digits".to_owned()) } else { Ok(bytes) }
}

fn is_separator(character: char) -> bool {
    character.is_whitespace() || SEPARATORS.contains(&character)
}

/// Reads digits that stand together. An error is an index into `run` and what is wrong there.
fn read_run(run: &str, bytes: &mut Vec<u8>) -> Result<(), (usize, String)> {
    let digits = run.strip_prefix("0x").or_else(|| run.strip_prefix("0X")).unwrap_or(run);
    let prefix = run.len() - digits.len();
    if let Some((at, bad)) = digits.char_indices().find(|(_, character)| !character.is_ascii_hexdigit()) {
        return Err((prefix + at, format!("{bad:?} is not a hexadecimal digit")));
    }
    if digits.len() % 2 == 1 {
        return Err((0, format!("{run:?} has an odd number of digits")));
    }
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default() as u8;
    bytes.extend(digits.as_bytes().as_chunks().0.iter().map(|[high, low]| value(*high) << 4 | value(*low)));
    Ok(())
}

/// `0000:` or `0x0010:` at the start of a line that goes on: a dump with offsets, which would be read as bytes.
fn leading_offset(line: &str) -> Option<&str> {
    let (first, rest) = line.trim_start().split_once(char::is_whitespace)?;
    let digits = first.strip_suffix(':')?;
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let is_offset = digits.len() >= 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_offset && !rest.trim().is_empty()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_in_place_of_digits_is_recognised() {
        let hint = |argument: &str| match read(&[argument.to_owned()], None) {
            Err(Failure::Usage(fault)) => fault,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            hint("Cargo.toml"),
            "'r' is not a hexadecimal digit at line 1, column 3; to read a file: --file Cargo.toml"
        );
        assert_eq!(hint("no.such"), "'n' is not a hexadecimal digit at line 1, column 1");
    }

    #[test]
    fn digits_are_read_however_they_are_written() {
        for text in [
            "0001ffAB",
            "00 01 ff ab",
            "00:01:ff:ab",
            "00-01-FF-AB\n",
            "0x00, 0x01,\n 0xff, 0xAB",
            "\t0x0001ffab\r\n",
            "00\n01\n\nff ab ",
        ] {
            assert_eq!(from_hex(text), Ok(vec![0, 1, 0xFF, 0xAB]), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_digit_is_named_with_its_place() {
        let fault = |text| from_hex(text).expect_err("these are no digits");
        assert_eq!(fault("0001\n00 0g"), "'g' is not a hexadecimal digit at line 2, column 5");
        assert_eq!(fault("00 é1"), "'é' is not a hexadecimal digit at line 1, column 4");
        assert_eq!(fault("0x00 0xz1"), "'z' is not a hexadecimal digit at line 1, column 8");
        assert_eq!(fault("00 123"), "\"123\" has an odd number of digits at line 1, column 4");
        for empty in ["", " \n", "0x"] {
            assert_eq!(fault(empty), "no hexadecimal digits");
        }
    }

    #[test]
    fn a_dump_with_offsets_is_not_mistaken_for_bytes() {
        for dump in ["0x0000:  4500 0054", "00000000: 0001 0050 2112 a442  ...P!..B"] {
            let fault = from_hex(dump).expect_err("the offset is no byte");
            assert!(fault.starts_with("line 1 begins with the offset 0"), "{fault}");
        }
        assert_eq!(from_hex("0001:0050").map(|bytes| bytes.len()), Ok(4));
    }

    #[test]
    fn a_file_may_hold_the_message_or_its_digits() {
        assert_eq!(from_content(b"0001 0000\n"), Ok(vec![0, 1, 0, 0]));
        assert_eq!(from_content(&[0, 1, 0, 0]), Ok(vec![0, 1, 0, 0]));
        assert_eq!(from_content(&[0x40, 0x01, 0x00, 0x01, b'x']), Ok(vec![0x40, 0x01, 0x00, 0x01, b'x']));
        assert!(from_content(b"hello").is_err());
    }
}
