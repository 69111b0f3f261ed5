//! Lines from the standard input and to the standard output, each in a thread of its own: neither a script that says
//! nothing nor one that does not listen holds the agent up.

use std::io::{self, BufRead, Read, Write};
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The longest line, in bytes: the largest datagram with every byte escaped fits.
const MAX_LINE: u64 = 1 << 20;

/// Lines kept in either direction.
const QUEUE: usize = 64;

/// Lines from `input` until it ends. `Err` is what is wrong with a line that is none.
pub(crate) fn read(input: impl BufRead + Send + 'static) -> Receiver<Result<String, String>> {
    let (sender, receiver) = channel(QUEUE);
    // It ends with the input, or with the process: nothing waits for it.
    thread::spawn(move || read_all(input, &sender));
    receiver
}

fn read_all(mut input: impl BufRead, lines: &Sender<Result<String, String>>) {
    loop {
        let (line, last) = match next_line(&mut input) {
            Ok(None) => return,
            Ok(Some(Ok(line))) if line.trim().is_empty() => continue,
            Ok(Some(line)) => (line, false),
            Err(error) => (Err(format!("the input cannot be read: {error}")), true),
        };
        if lines.blocking_send(line).is_err() || last {
            return;
        }
    }
}

/// `None` at the end. Of a line that is too long the rest is skipped.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Result<String, String>>> {
    let mut line = Vec::new();
    if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE {
        input.skip_until(b'\n')?;
        return Ok(Some(Err(format!("a line of more than {MAX_LINE} bytes"))));
    }
    Ok(Some(String::from_utf8(line).map_err(|_| "a line that is not UTF-8".to_owned())))
}

/// Writes what it is sent as lines to `output`, each at once. The thread ends when the sender is dropped, or with an error
/// when nobody listens any more.
pub(crate) fn write(mut output: impl Write + Send + 'static) -> (Sender<String>, JoinHandle<io::Result<()>>) {
    let (sender, mut receiver) = channel::<String>(QUEUE);
    let thread = thread::spawn(move || {
        while let Some(mut line) = receiver.blocking_recv() {
            line.push('\n');
            output.write_all(line.as_bytes())?;
            output.flush()?;
        }
        Ok(())
    });
    (sender, thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &'static [u8]) -> Vec<Result<String, String>> {
        let mut receiver = read(input);
        std::iter::from_fn(|| receiver.blocking_recv()).collect()
    }

    #[test]
    fn lines_arrive_with_whatever_end_they_have() {
        assert_eq!(lines(b"one\r\n\n  \ntwo"), [Ok("one\r\n".to_owned()), Ok("two".to_owned())]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn a_bad_line_does_not_spoil_the_next() {
        let mut input = vec![b'x'; MAX_LINE as usize + 10];
        input.extend(b"\n\xFF\xFE\nlast\n");
        let read = lines(input.leak());
        assert_eq!(read.len(), 3);
        assert!(read[0].as_ref().is_err_and(|fault| fault.contains("more than 1048576 bytes")));
        assert!(read[1].as_ref().is_err_and(|fault| fault.contains("not UTF-8")));
        assert_eq!(read[2].as_deref(), Ok("last\n"));
    }

    #[test]
    fn an_input_that_cannot_be_read_ends_and_says_so() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::IsADirectory.into())
            }
        }
        let mut receiver = read(io::BufReader::new(Broken));
        assert!(receiver.blocking_recv().unwrap().is_err_and(|fault| fault.contains("cannot be read")));
        assert_eq!(receiver.blocking_recv(), None);
    }

    #[test]
    fn written_lines_end_and_a_reader_that_left_is_noticed() {
        let (reader, writer) = io::pipe().unwrap();
        let (lines, thread) = write(writer);
        lines.blocking_send("hello".to_owned()).unwrap();
        let mut received = String::new();
        let mut reader = io::BufReader::new(reader);
        reader.read_line(&mut received).unwrap();
        assert_eq!(received, "hello\n");
        drop(reader);
        lines.blocking_send("anybody?".to_owned()).unwrap();
        let error = thread.join().unwrap().expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
