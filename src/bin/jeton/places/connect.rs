//! Connecting to the first of the places where a daemon listens.

use super::{Door, Place, Places};
use crate::deadline::{Deadline, sys_failed};
use crate::output::{Decimal, Exit, REFUSED, UNREACHABLE, USAGE, complain, complain_of};
use crate::sys::{self, Errno, Stream, errno};

/// How long `ready --wait` sleeps between two attempts, at first and at most, in milliseconds.
const RETRY_MS: (i32, i32) = (50, 200);

/// How long to sleep while the daemon's queue of connections is full, in milliseconds.
const QUEUE_FULL_MS: i32 = 10;

/// Why no connection could be made. In ascending order of relevance to the user.
enum Fault<'a> {
    Absent,
    Failed(Place<'a>, Errno),
    Denied(Place<'a>),
}

impl<'a> Places<'a> {
    /// Connects to the first place where a daemon listens, and returns that place.
    ///
    /// With `retry`, waits for a daemon that does not run yet.
    pub(crate) fn connect(
        &self,
        deadline: &Deadline,
        retry: bool,
    ) -> Result<(Stream, Place<'a>), Exit> {
        let mut sleep = RETRY_MS.0;
        loop {
            match self.try_once(deadline)? {
                Ok(taken) => return Ok(taken),
                Err(fault) if !retry || deadline.told_is_over() => return Err(self.report(&fault)),
                Err(_) => deadline.pause(sleep)?,
            }
            sleep = RETRY_MS.1.min(sleep * 2);
        }
    }

    fn try_once(
        &self,
        deadline: &Deadline,
    ) -> Result<Result<(Stream, Place<'a>), Fault<'a>>, Exit> {
        let mut worst = Fault::Absent;
        for (at, &place) in self.list.iter().flatten().enumerate() {
            let Some(address) = sys::Address::new(&[place.base, place.tail]) else {
                if self.explicit && at == 0 {
                    let most = Decimal::new(sys::Address::LONGEST as u32);
                    let line = [
                        b"the socket's path is longer than ",
                        most.digits(),
                        b" bytes: ",
                        place.base,
                        place.tail,
                    ];
                    return Err(complain(USAGE, &line));
                }
                continue;
            };
            let error = loop {
                let stream = Stream::open().map_err(|error| sys_failed(b"socket", error))?;
                match stream.connect(&address) {
                    Ok(()) => return Ok(Ok((stream, place))),
                    Err(errno::EINTR) => {}
                    // The daemon runs, but its queue of connections is full.
                    Err(errno::EAGAIN) => deadline.pause(QUEUE_FULL_MS)?,
                    Err(error) => break error,
                }
            };
            match (error, &worst) {
                (errno::ENOENT | errno::ECONNREFUSED | errno::ENOTDIR, _)
                | (_, Fault::Denied(_)) => {}
                (errno::EACCES | errno::EPERM, _) => worst = Fault::Denied(place),
                (_, Fault::Failed(..)) => {}
                (_, Fault::Absent) => worst = Fault::Failed(place, error),
            }
        }
        Ok(Err(worst))
    }

    fn report(&self, fault: &Fault<'_>) -> Exit {
        match fault {
            Fault::Denied(place) => complain(
                REFUSED,
                &[
                    b"you may not connect to ",
                    place.base,
                    place.tail,
                    b": permission denied",
                    if is_of_a_command(place.base) && !self.are_admin() {
                        b"; for a command of another user: jetond run --allow USER -- CMD"
                    } else {
                        b""
                    },
                ],
            ),
            Fault::Failed(place, error) => complain_of(
                UNREACHABLE,
                &[b"cannot connect to ", place.base, place.tail, b": "],
                *error,
            ),
            Fault::Absent => {
                let mut parts = [b"".as_slice(); 11];
                let mut slots = parts.iter_mut();
                let mut push = |part| slots.next().into_iter().for_each(|slot| *slot = part);
                push(match self.door {
                    Door::Tokens | Door::Admin => {
                        b"jetond is not running: nothing listens at ".as_slice()
                    }
                    Door::AdminByAnswer => {
                        b"the daemon does this at its admin socket, and nothing listens at "
                    }
                });
                let shown = if self.explicit { 1 } else { self.list.len() };
                for (at, place) in self.list.iter().flatten().take(shown).enumerate() {
                    push(if at == 0 { b"" } else { b" or " });
                    push(place.base);
                    push(place.tail);
                }
                push(match self.door {
                    Door::Tokens => b" (start it with 'jetond run', or name its socket with --socket or JETON_SOCKET)".as_slice(),
                    Door::Admin => b" (start it with 'jetond run', or name its socket with --admin-socket or JETON_ADMIN_SOCKET)",
                    Door::AdminByAnswer => b" (run this where that folder is, or name the socket with --admin-socket or JETON_ADMIN_SOCKET)",
                });
                complain(UNREACHABLE, &parts)
            }
        }
    }
}

/// Whether a socket is in the private folder of a daemon that serves a single command.
fn is_of_a_command(socket: &[u8]) -> bool {
    let folder = b"/jeton-run-";
    socket.windows(folder.len()).any(|part| part == folder)
}
