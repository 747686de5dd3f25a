//! The honest clients: for the daemon's user and for another user, one client each with a kept connection and with a
//! new connection per request.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::users::{CAROL, OWNER, User};

/// A request that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause between two requests of one client.
const GAP: Duration = Duration::from_millis(4);

const REQUEST: &[u8] = b"GET /v1/profiles/p1/token HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The results of the honest clients, separately for kept and new connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientResults {
    pub(crate) kept: Times,
    pub(crate) new: Times,
}

/// The durations of the requests, and the reasons of failures.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times {
    pub(crate) times: Vec<Duration>,
    pub(crate) failed: Vec<String>,
}

/// Sends requests for this long.
pub(crate) fn ask(socket: &Path, time: Duration) -> ClientResults {
    let end = Instant::now() + time;
    std::thread::scope(|scope| {
        let clients = [(OWNER, true), (OWNER, false), (CAROL, true), (CAROL, false)];
        let clients = clients
            .map(|(user, keeps)| (keeps, scope.spawn(move || client(user, socket, keeps, end))));
        let mut met = ClientResults::default();
        for (keeps, client) in clients {
            let of = if keeps { &mut met.kept } else { &mut met.new };
            of.add(client.join().unwrap());
        }
        met
    })
}

/// Sends one request on a new connection; an error says why there is no 200.
pub(crate) fn once(socket: &Path, request: &[u8]) -> io::Result<()> {
    answered(&mut open(socket)?, request)
}

fn client(user: User, socket: &Path, keeps: bool, end: Instant) -> Times {
    user.become_it();
    let mut times = Times::default();
    let mut kept = None;
    while Instant::now() < end {
        let start = Instant::now();
        let mut stream = match kept.take() {
            Some(stream) => Ok(stream),
            None => open(socket),
        };
        match stream.as_mut().map(|stream| answered(stream, REQUEST)) {
            Ok(Ok(())) => times.times.push(start.elapsed()),
            Ok(Err(why)) => times.fail(user, keeps, &why),
            Err(why) => times.fail(user, keeps, why),
        }
        let has_failed = times.failed.len() > 20;
        kept = stream.ok().filter(|_| keeps && !has_failed);
        std::thread::sleep(GAP);
    }
    times
}

fn open(socket: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn answered(stream: &mut UnixStream, request: &[u8]) -> io::Result<()> {
    stream.write_all(request)?;
    let mut answer = Vec::with_capacity(8192);
    let mut buffer = [0; 8192];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            let error = format!("closed after {} bytes", answer.len());
            return Err(io::Error::new(ErrorKind::UnexpectedEof, error));
        }
        answer.extend_from_slice(&buffer[..n]);
        let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
        if !text.starts_with("http/1.1 200 ") {
            let line = text.lines().next().unwrap_or_default();
            return Err(io::Error::other(line.to_owned()));
        }
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if answer.len() >= head + 4 + length {
            return Ok(());
        }
    }
}

impl ClientResults {
    pub(crate) fn failed(&self) -> impl Iterator<Item = &String> {
        self.kept.failed.iter().chain(&self.new.failed)
    }

    pub(crate) fn requests(&self) -> usize {
        let all = [&self.kept, &self.new];
        all.map(|of| of.times.len() + of.failed.len()).iter().sum()
    }

    pub(crate) fn worst(&self) -> Duration {
        let times = self.kept.times.iter().chain(&self.new.times);
        times.max().copied().unwrap_or_default()
    }
}

impl Times {
    fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.failed.extend(other.failed);
    }

    fn fail(&mut self, user: User, keeps: bool, why: impl std::fmt::Display) {
        let kind = if keeps { "kept" } else { "new" };
        self.failed
            .push(format!("uid {}, {kind} connection: {why}", user.0));
    }

    /// Returns the time that this many of a thousand requests do not exceed, in µs. A client without any reply counts
    /// as having waited for the full timeout.
    pub(crate) fn at(&self, per_mille: usize) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        match times.len() {
            0 => PATIENCE.as_secs_f64() * 1e6,
            n => times[(n - 1) * per_mille / 1000].as_secs_f64() * 1e6,
        }
    }
}
