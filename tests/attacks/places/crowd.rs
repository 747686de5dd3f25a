//! Many connections of one user. Whenever the daemon closes one, the next is opened.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::daemon::Daemon;
use crate::support::users::User;

pub(super) struct ConnectionFlood {
    stop: Arc<AtomicBool>,
    opened: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Vec<u8>>>,
}

impl ConnectionFlood {
    /// Opens `size` connections at a time and sends this on each.
    pub(super) fn new(daemon: &Daemon, user: User, size: usize, sends: &'static str) -> Self {
        Self::with(daemon, user, size, sends.as_bytes().to_vec(), false)
    }

    /// Opens `size` connections at a time and sends these bytes on each.
    pub(super) fn sending(daemon: &Daemon, user: User, size: usize, sends: Vec<u8>) -> Self {
        Self::with(daemon, user, size, sends, false)
    }

    /// Opens `size` connections at a time, each of which always has more requests to send.
    pub(super) fn pipelining(daemon: &Daemon, user: User, size: usize) -> Self {
        let requests = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(500);
        Self::with(daemon, user, size, requests.into_bytes(), true)
    }

    fn with(daemon: &Daemon, user: User, size: usize, sends: Vec<u8>, again: bool) -> Self {
        let (stop, opened) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&opened));
        let socket = daemon.socket.clone();
        let thread = std::thread::spawn(move || {
            // Changes the user of this thread only.
            user.switch_thread();
            let (mut open, mut came) = (Vec::<UnixStream>::new(), vec![]);
            while !stopped.load(Ordering::Relaxed) {
                while open.len() < size && !stopped.load(Ordering::Relaxed) {
                    let mut stream = UnixStream::connect(&socket).unwrap();
                    stream.set_nonblocking(true).unwrap();
                    // The daemon may have refused the connection already.
                    let _ = stream.write(&sends);
                    open.push(stream);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                open.retain_mut(|stream| goes_on(stream, &mut came));
                if again {
                    for stream in &mut open {
                        let _ = stream.write(&sends);
                    }
                }
                // The crowd polls all of its connections. The pause leaves the processor to the daemon.
                std::thread::sleep(Duration::from_millis(1));
            }
            came
        });
        Self {
            stop,
            opened,
            thread: Some(thread),
        }
    }

    /// Returns the number of connections opened so far.
    pub(super) fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// Closes all connections and returns the beginning of what was received.
    pub(super) fn leave(mut self) -> Vec<u8> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn goes_on(stream: &mut UnixStream, came: &mut Vec<u8>) -> bool {
    let mut bytes = [0; 16_384];
    match stream.read(&mut bytes) {
        Ok(0) => false,
        Ok(n) => {
            if came.len() < 4_096 {
                came.extend_from_slice(&bytes[..n]);
            }
            true
        }
        Err(e) => e.kind() == ErrorKind::WouldBlock,
    }
}
