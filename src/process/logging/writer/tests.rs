use std::collections::VecDeque;

use super::*;

/// The result of one write to a scripted sink.
#[derive(Debug, Clone, Copy)]
enum Does {
    Takes(usize),
    Fails(io::ErrorKind),
}
use Does::{Fails, Takes};

/// A sink that follows its script, then accepts everything.
#[derive(Default)]
struct Scripted {
    script: VecDeque<Does>,
    text: Vec<u8>,
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.script.pop_front() {
            Some(Fails(kind)) => Err(kind.into()),
            does => {
                let n = match does {
                    Some(Takes(n)) => n.min(bytes.len()),
                    _ => bytes.len(),
                };
                self.text.extend_from_slice(&bytes[..n]);
                Ok(n)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const FULL: Does = Fails(io::ErrorKind::StorageFull);

fn notice(dropped: u64) -> String {
    format!("-{dropped}\n")
}

/// Writes these chunks one after the other, as a queue hands them out. Each gap is the number of lines lost before.
fn written(script: &[Does], chunks: &[&str]) -> (String, u64) {
    let mut writer = Writer::new(Scripted {
        script: script.iter().copied().collect(),
        text: vec![],
    });
    let mut gap = 0;
    for chunk in chunks {
        let chunk = Chunk {
            gap,
            bytes: chunk.as_bytes().to_vec(),
        };
        gap = writer.write(&chunk, &notice).err().unwrap_or(0);
    }
    let text = String::from_utf8(std::mem::take(&mut writer.sink().text)).unwrap();
    (text, gap)
}

#[test]
fn lines_are_never_joined_and_every_missing_line_is_counted() {
    for (script, text, gap) in [
        (&[][..], "a\nb\nc\nd\ne\n", 0),
        (&[Takes(1), Takes(2)], "a\nb\nc\nd\ne\n", 0),
        (&[Fails(io::ErrorKind::Interrupted)], "a\nb\nc\nd\ne\n", 0),
        // The first byte of the first chunk fails.
        (&[FULL], "-2\nc\nd\ne\n", 0),
        (&[Takes(0)], "-2\nc\nd\ne\n", 0),
        // The first chunk fails after its first line; inside its second line; inside its first line.
        (&[Takes(2), FULL], "a\n-1\nc\nd\ne\n", 0),
        (&[Takes(3), FULL], "a\nb\n-1\nc\nd\ne\n", 0),
        (&[Takes(1), FULL], "a\n-2\nc\nd\ne\n", 0),
        // The second chunk fails as well: at once, after the end of the torn line, or inside the notice.
        (&[FULL, FULL], "-4\ne\n", 0),
        (&[Takes(1), FULL, FULL], "a\n-4\ne\n", 0),
        (&[Takes(1), FULL, Takes(1), FULL], "a\n-4\ne\n", 0),
        (&[Takes(1), FULL, Takes(2), FULL], "a\n-\n-4\ne\n", 0),
        // The second chunk fails after the notice, or half a line later.
        (&[FULL, Takes(3), FULL], "-2\n-2\ne\n", 0),
        (&[FULL, Takes(4), FULL], "-2\nc\n-2\ne\n", 0),
        // The losses of the last chunk are not reported yet.
        (&[FULL, FULL, FULL], "", 5),
    ] {
        let chunks = ["a\nb\n", "c\nd\n", "e\n"];
        assert_eq!(
            written(script, &chunks),
            (text.to_owned(), gap),
            "{script:?}"
        );
    }
}

#[test]
fn log_lines_pass_through_the_queue() {
    let queue = Queue::new();
    let mut writer = Writer::new(Scripted {
        script: [Takes(1), FULL].into(),
        text: vec![],
    });
    queue.push(b"a\n");
    writer.step(&queue, &notice);
    queue.push(b"b\n");
    queue.push(b"c\n");
    writer.step(&queue, &notice);
    assert_eq!(writer.sink().text, b"a\n-1\nb\nc\n");
}
