//! Holds many connections at once, and replaces each one that ends.

use std::io::{ErrorKind, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::party::{Stop, Tally};

/// The behaviour of an attacker's connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct HoldAttack {
    /// The number of connections to hold.
    pub(crate) connections: usize,
    /// The bytes that are sent once on each connection.
    pub(crate) opening: Vec<u8>,
    /// The bytes that are sent repeatedly after that.
    pub(crate) flood: Vec<u8>,
    /// Whether the attacker reads the replies.
    pub(crate) reads: bool,
}

struct Held {
    stream: UnixStream,
    /// How many bytes of the opening, and then of the flood, have been sent.
    sent: usize,
    is_opened: bool,
    is_answered: bool,
}

/// The most new connections in one turn, so that the open ones get their turn as well.
const AT_ONCE: usize = 512;

/// The pause between two turns: an attacker in a busy loop would take the processor from the measuring clients.
const PAUSE: Duration = Duration::from_millis(1);

impl HoldAttack {
    /// Holds connections until `stop` is set.
    pub(crate) fn run(&self, socket: &Path, stop: &Stop) -> Tally {
        let mut tally = Tally::default();
        let epoll = epoll::create(CreateFlags::CLOEXEC).unwrap();
        let mut held: Vec<Option<Held>> = (0..self.connections).map(|_| None).collect();
        let mut free: Vec<usize> = (0..self.connections).rev().collect();
        let mut buffer = vec![0; 64 * 1024];
        while !stop.is_told() {
            for _ in 0..AT_ONCE {
                let Some(n) = free.last().copied() else { break };
                let Some(stream) = connect(socket) else {
                    tally.refused_connects += 1;
                    break;
                };
                tally.connected += 1;
                let interest = self.interest(self.opening.is_empty() && self.flood.is_empty());
                let data = EventData::new_u64(n as u64);
                epoll::add(&epoll, stream.as_fd(), data, interest).unwrap();
                held[n] = Some(Held {
                    stream,
                    sent: 0,
                    is_opened: self.opening.is_empty(),
                    is_answered: false,
                });
                free.pop();
            }
            let mut events = [MaybeUninit::uninit(); 1024];
            let (events, _) = epoll::wait(&epoll, &mut events, Some(&timespec(PAUSE * 5))).unwrap();
            for event in events {
                let n = usize::try_from(event.data.u64()).unwrap();
                let Some(one) = &mut held[n] else { continue };
                let was_writing = !one.is_opened || !self.flood.is_empty();
                if !self.serve(one, event.flags, &mut buffer, &mut tally) {
                    held[n] = None;
                    free.push(n);
                } else if was_writing && one.is_opened && self.flood.is_empty() {
                    let data = EventData::new_u64(n as u64);
                    epoll::modify(&epoll, one.stream.as_fd(), data, self.interest(true)).unwrap();
                }
            }
            std::thread::sleep(PAUSE);
        }
        tally.held = held.iter().flatten().count();
        tally
    }

    fn interest(&self, has_written: bool) -> EventFlags {
        // The end of a connection is reported as HUP, which needs no flag.
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.reads);
        flags.set(EventFlags::OUT, !has_written);
        flags
    }

    /// Writes and reads as much as possible; `false` if the connection has ended.
    fn serve(
        &self,
        one: &mut Held,
        flags: EventFlags,
        buffer: &mut [u8],
        tally: &mut Tally,
    ) -> bool {
        let has_ended = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        if self.reads || has_ended {
            match one.stream.read(buffer) {
                Ok(0) => return false,
                Ok(n) => {
                    tally.received += n as u64;
                    if !one.is_answered {
                        one.is_answered = true;
                        let status = buffer.get(9..12).unwrap_or_default();
                        let status = String::from_utf8_lossy(status).into_owned();
                        *tally.answers.entry(status).or_default() += 1;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
        if has_ended {
            return false;
        }
        if flags.contains(EventFlags::OUT) {
            let bytes = if one.is_opened {
                &self.flood
            } else {
                &self.opening
            };
            match one.stream.write(&bytes[one.sent..]) {
                Ok(n) => {
                    tally.sent += n as u64;
                    one.sent += n;
                    if one.sent == bytes.len() {
                        one.sent = 0;
                        one.is_opened = true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
        true
    }
}

/// Connects without waiting; `None` if the backlog is full.
pub(crate) fn connect(socket: &Path) -> Option<UnixStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let stream =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    rustix::net::connect(&stream, &SocketAddrUnix::new(socket).unwrap()).ok()?;
    Some(stream.into())
}

fn timespec(time: Duration) -> rustix::event::Timespec {
    time.try_into().unwrap()
}
