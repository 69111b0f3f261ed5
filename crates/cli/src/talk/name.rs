//! Names for files that strangers suggest.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::protocol::boundary;

/// The longest name that is kept, in bytes: file systems take 255, and something is appended.
const MAX_NAME: usize = 180;

/// The last part of a suggested name, so that it can be nothing but a plain file in the directory it is put into, on any system.
pub(super) fn sanitized(suggested: &str) -> String {
    let last = suggested.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept = last.chars().filter(|c| !c.is_control()).map(|c| if "<>:\"|?*".contains(c) { '_' } else { c });
    // Neither hidden, nor `.` and `..`, nor what Windows cuts off at the end.
    let kept: String = kept.collect();
    let kept = kept.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let kept = &kept[..boundary(kept, MAX_NAME)];
    if kept.is_empty() { "file".to_owned() } else { kept.to_owned() }
}

/// Makes a file of this name, or with a number in it if the name is taken. Never opens one that exists.
pub(super) fn create(directory: &Path, name: &str, suffix: &str) -> io::Result<(File, PathBuf)> {
    let (stem, extension) = match name.rfind('.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, ""),
    };
    let mut number = 0_u32;
    loop {
        let mark = if number == 0 { String::new() } else { format!(" ({number})") };
        let path = directory.join(format!("{stem}{mark}{extension}{suffix}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 10_000 => number += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_plain_file_in_its_directory() {
        for (suggested, kept) in [
            ("cat.jpg", "cat.jpg"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\x.txt", "x.txt"),
            ("/", "file"),
            ("..", "file"),
            (".bashrc", "bashrc"),
            ("a\u{1b}[31m\nb", "a[31mb"),
            ("a:b?", "a_b_"),
            ("", "file"),
        ] {
            assert_eq!(sanitized(suggested), kept, "{suggested:?}");
        }
        assert!(sanitized(&"é".repeat(500)).len() <= MAX_NAME);
    }
}
