use std::collections::VecDeque;

use super::*;

/// What a write of a scripted sink does.
#[derive(Debug, Clone, Copy)]
enum Does {
    Takes(usize),
    Fails(io::ErrorKind),
}
use Does::{Fails, Takes};

/// Takes what its script says, and then everything.
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

/// Writes these chunks, one after the other, as a queue hands them out: gaps are what was lost before.
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
fn no_line_is_joined_to_another_and_none_is_missing_uncounted() {
    for (script, text, gap) in [
        (&[][..], "a\nb\nc\nd\ne\n", 0),
        (&[Takes(1), Takes(2)], "a\nb\nc\nd\ne\n", 0),
        (&[Fails(io::ErrorKind::Interrupted)], "a\nb\nc\nd\ne\n", 0),
        // Nothing of the first chunk.
        (&[FULL], "-2\nc\nd\ne\n", 0),
        (&[Takes(0)], "-2\nc\nd\ne\n", 0),
        // Its first line, its second line without the end, its first line without the end.
        (&[Takes(2), FULL], "a\n-1\nc\nd\ne\n", 0),
        (&[Takes(3), FULL], "a\nb\n-1\nc\nd\ne\n", 0),
        (&[Takes(1), FULL], "a\n-2\nc\nd\ne\n", 0),
        // Nothing of the second one either; or only the end of the torn line, or half of the notice.
        (&[FULL, FULL], "-4\ne\n", 0),
        (&[Takes(1), FULL, FULL], "a\n-4\ne\n", 0),
        (&[Takes(1), FULL, Takes(1), FULL], "a\n-4\ne\n", 0),
        (&[Takes(1), FULL, Takes(2), FULL], "a\n-\n-4\ne\n", 0),
        // The notice, and no more; or half a line more.
        (&[FULL, Takes(3), FULL], "-2\n-2\ne\n", 0),
        (&[FULL, Takes(4), FULL], "-2\nc\n-2\ne\n", 0),
        // What the last chunk loses is still to be said.
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
fn lines_pass_through_the_queue() {
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
