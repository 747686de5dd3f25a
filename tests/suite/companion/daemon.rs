//! A scripted daemon that records the requests it gets.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tempfile::TempDir;

/// The handling of one connection after its request was read.
pub(super) enum ConnectionStep {
    /// Sends this and closes.
    Answer(Vec<u8>),
    /// Sends this and keeps the connection open until the companion closes it.
    Hold(Vec<u8>),
    /// Closes without sending a byte.
    Close,
    /// Closes without reading the request, so that the companion gets a reset or a broken pipe.
    Reset,
    /// Answers before it has read the request.
    Early(Vec<u8>),
    /// Runs the test's own code.
    Script(Box<dyn FnOnce(UnixStream) + Send>),
}

/// One recorded request.
#[derive(Debug, Clone)]
pub(super) struct RecordedRequest {
    pub(super) head: String,
    pub(super) frame: Vec<u8>,
}

/// The scripted daemon. Dropping it removes its folder.
pub(super) struct ScriptedDaemon {
    pub(super) socket: PathBuf,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<RecordedRequest>>>,
    _folder: Option<TempDir>,
}

impl ScriptedDaemon {
    pub(super) fn new(steps: Vec<ConnectionStep>) -> Self {
        let folder = TempDir::new().unwrap();
        let mut daemon = Self::at(&folder.path().join("jeton.sock"), steps);
        daemon._folder = Some(folder);
        daemon
    }

    /// Starts a daemon at this path and creates the folders above it.
    pub(super) fn at(socket: &Path, steps: Vec<ConnectionStep>) -> Self {
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let over = Arc::clone(&over);
            move || serve(&listener, steps, &over)
        });
        Self {
            socket: socket.to_owned(),
            over,
            thread: Some(thread),
            _folder: None,
        }
    }

    /// Starts a daemon that answers one request with this frame.
    pub(super) fn answering(fields: &[(u8, &[u8])]) -> Self {
        Self::new(vec![ConnectionStep::Answer(ok(fields))])
    }

    /// Returns the requests in order. The companion must have ended.
    pub(super) fn asked(mut self) -> Vec<RecordedRequest> {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread from its accept.
        drop(UnixStream::connect(&self.socket));
        self.thread.take().unwrap().join().unwrap()
    }

    /// Returns the only request.
    #[track_caller]
    pub(super) fn asked_once(self) -> RecordedRequest {
        let asked = self.asked();
        let [one] = asked.as_slice() else {
            panic!("{} requests: {asked:?}", asked.len())
        };
        one.clone()
    }
}

fn serve(
    listener: &UnixListener,
    steps: Vec<ConnectionStep>,
    over: &AtomicBool,
) -> Vec<RecordedRequest> {
    let mut asked = Vec::new();
    let mut steps = steps.into_iter();
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        if over.load(Ordering::SeqCst) {
            return asked;
        }
        match steps.next() {
            // More connections than the test expects: recorded so that the test fails on them.
            None => asked.push(RecordedRequest {
                head: "one too many".into(),
                frame: Vec::new(),
            }),
            Some(ConnectionStep::Reset) => {}
            Some(ConnectionStep::Early(bytes)) => stream.write_all(&bytes).unwrap(),
            Some(step) => {
                let Some(request) = read_request(&mut stream) else {
                    continue;
                };
                asked.push(request);
                match step {
                    ConnectionStep::Answer(bytes) => stream.write_all(&bytes).unwrap(),
                    ConnectionStep::Hold(bytes) => {
                        stream.write_all(&bytes).unwrap();
                        // Waits until the companion closes or resets the connection.
                        let _ = stream.read(&mut [0]);
                    }
                    ConnectionStep::Script(script) => script(stream),
                    ConnectionStep::Close | ConnectionStep::Reset | ConnectionStep::Early(_) => {}
                }
            }
        }
    }
}

/// Reads a request. Returns `None` for a connection that sends none.
fn read_request(stream: &mut UnixStream) -> Option<RecordedRequest> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap() == 0 {
            assert_eq!(head, b"", "a request that breaks off in its head");
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .unwrap()
        .parse()
        .unwrap();
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).unwrap();
    Some(RecordedRequest { head, frame })
}

/// Encodes fields as a frame.
pub(super) fn frame(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut frame = vec![1];
    for (tag, payload) in fields {
        frame.push(*tag);
        frame.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        frame.extend(*payload);
    }
    frame
}

/// Returns an HTTP 200 answer with this frame as its body.
pub(super) fn http(frame: &[u8]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncache-control: no-store\r\n\r\n".to_vec();
    answer.extend(frame);
    answer
}

/// Returns an HTTP 200 answer with these fields.
pub(super) fn ok(fields: &[(u8, &[u8])]) -> Vec<u8> {
    http(&frame(fields))
}

/// Decodes the fields of a frame.
pub(super) fn fields(frame: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (version, mut rest) = frame.split_first().unwrap();
    assert_eq!(*version, 1);
    let mut fields = Vec::new();
    while let [tag, a, b, c, d, after @ ..] = rest {
        let (payload, after) = after.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        fields.push((*tag, payload.to_vec()));
        rest = after;
    }
    assert_eq!(rest, b"");
    fields
}

impl RecordedRequest {
    /// Returns the payloads with this tag, in order.
    pub(super) fn all(&self, tag: u8) -> Vec<Vec<u8>> {
        fields(&self.frame)
            .into_iter()
            .filter(|field| field.0 == tag)
            .map(|field| field.1)
            .collect()
    }

    /// Returns the arguments as text.
    pub(super) fn words(&self) -> Vec<String> {
        self.all(1)
            .into_iter()
            .map(|word| String::from_utf8(word).unwrap())
            .collect()
    }

    /// Returns the deadline in milliseconds.
    pub(super) fn deadline(&self) -> Option<u32> {
        let all = self.all(5);
        assert!(all.len() <= 1);
        Some(u32::from_le_bytes(
            all.first()?.as_slice().try_into().unwrap(),
        ))
    }
}
