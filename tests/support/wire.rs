//! A raw connection, on which a test sends every byte itself.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::TestEnv;
use super::http::{self, Response};

/// A connection. Everything received on it is searched for secrets.
pub(crate) struct Wire<'a> {
    env: &'a TestEnv,
    stream: UnixStream,
    came: Vec<u8>,
    token_asked_for: bool,
}

/// Returns a `GET` request that keeps the connection open.
pub(crate) fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

impl<'a> Wire<'a> {
    /// Connects.
    pub(crate) fn new(env: &'a TestEnv, socket: &Path) -> Self {
        Self {
            env,
            stream: http::connect(socket),
            came: vec![],
            token_asked_for: false,
        }
    }

    /// Allows a token in what is received.
    pub(crate) fn asks_for_token(mut self) -> Self {
        self.token_asked_for = true;
        self
    }

    /// Sends these bytes. Fails if the daemon has already closed the connection.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Signals that no more will be sent.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Reads the next answer.
    pub(crate) fn answer(&mut self) -> Response {
        http::read_response(self).unwrap()
    }

    /// Reads everything until the daemon closes the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = vec![];
        match self.read_to_end(&mut rest) {
            Ok(_) => {}
            // The daemon closes a connection with unread data.
            Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
            Err(e) => panic!("the daemon does not close: {e}"),
        }
        rest
    }

    /// Sends these bytes, then reads the answer and the end of the connection.
    pub(crate) fn ask_last(mut self, bytes: impl AsRef<[u8]>) -> Response {
        // If the daemon refuses a request because of its head, it may not read the rest.
        let _ = self.send(bytes);
        let answer = self.answer();
        assert_eq!(self.rest(), b"", "after {answer:?}");
        answer
    }
}

impl Read for Wire<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buf)?;
        self.came.extend_from_slice(&buf[..n]);
        Ok(n)
    }
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        self.env
            .add_output("a connection", &self.came, self.token_asked_for);
    }
}
