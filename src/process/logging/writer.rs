//! Writes chunks of lines whole, or counts the lines that are missing.

use std::io::{self, Write};

use super::queue::{Chunk, Queue, count};

/// A writer of lines to a sink.
pub(super) struct Writer<W> {
    sink: W,
    /// Whether the last write ended inside a line: the next line must not be joined to it.
    is_torn: bool,
}

// === impl Writer ===

impl<W: Write> Writer<W> {
    pub(super) const fn new(sink: W) -> Self {
        Self {
            sink,
            is_torn: false,
        }
    }

    pub(super) const fn sink(&mut self) -> &mut W {
        &mut self.sink
    }

    /// Waits for the queue's next chunk and writes it. `notice` builds the line that reports dropped lines.
    pub(super) fn step(&mut self, queue: &Queue, notice: &dyn Fn(u64) -> String) {
        let chunk = queue.next();
        match self.write(&chunk, notice) {
            Ok(()) => queue.written(chunk),
            Err(lost) => queue.not_written(chunk, lost),
        }
    }

    /// Writes a chunk.
    ///
    /// # Errors
    /// The number of lines that are now missing.
    pub(super) fn write(
        &mut self,
        chunk: &Chunk,
        notice: &dyn Fn(u64) -> String,
    ) -> Result<(), u64> {
        let mut head = String::new();
        if self.is_torn {
            head.push('\n');
        }
        if chunk.gap > 0 {
            head.push_str(&notice(chunk.gap));
        }
        let joined;
        let mut rest: &[u8] = &chunk.bytes;
        if !head.is_empty() {
            joined = [head.as_bytes(), rest].concat();
            rest = &joined;
        }
        while !rest.is_empty() {
            match self.sink.write(rest) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(n) if n > 0 => {
                    let (written, left) = rest.split_at(n.min(rest.len()));
                    self.is_torn = !written.ends_with(b"\n");
                    rest = left;
                }
                Ok(_) | Err(_) if rest.len() > chunk.bytes.len() => {
                    return Err(chunk.gap + count(&chunk.bytes));
                }
                Ok(_) | Err(_) => return Err(count(rest)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
