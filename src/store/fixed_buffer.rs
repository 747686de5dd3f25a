//! A fixed buffer for a secret's JSON.

use std::io::{self, ErrorKind, Write};

/// A writer into a buffer that was allocated at its final size. It never grows, which would leave a copy behind.
pub(super) struct FixedBuffer<'a> {
    bytes: &'a mut Vec<u8>,
    limit: usize,
}

impl<'a> FixedBuffer<'a> {
    /// Writes to this buffer, which has room for this many bytes.
    pub(super) const fn new(bytes: &'a mut Vec<u8>, limit: usize) -> Self {
        Self { bytes, limit }
    }
}

impl Write for FixedBuffer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
