//! Connects to the first of the places where a daemon listens.

use super::dial::dial;
use super::trust::judge;
use super::{Places, SocketKind, SplitPath};
use crate::deadline::Deadline;
use crate::output::{Decimal, Exit, REFUSED, UNREACHABLE, USAGE, complain, complain_of};
use crate::sys::{Address, Errno, Stream, errno};

/// The pause between two attempts of `ready --wait`, at first and at most, in milliseconds.
const RETRY_MS: (i32, i32) = (50, 200);

/// The reason why no connection could be made, in ascending order of relevance to the user.
enum Fault<'a> {
    Absent,
    Failed(SplitPath<'a>, Errno),
    Denied(SplitPath<'a>),
    /// Another user's process listens there.
    Distrusted(SplitPath<'a>, u32),
}

impl<'a> Places<'a> {
    /// Connects to the first place where a daemon listens, and returns that place.
    ///
    /// With `retry`, it waits for a daemon that does not run yet.
    pub(crate) fn connect(
        &self,
        deadline: &Deadline,
        retry: bool,
    ) -> Result<(Stream, SplitPath<'a>), Exit> {
        let mut sleep = RETRY_MS.0;
        loop {
            match self.try_once(deadline)? {
                Ok(taken) => return Ok(taken),
                Err(fault) if !retry || deadline.daemon_deadline_passed() => {
                    return Err(self.report(&fault));
                }
                Err(_) => deadline.pause(sleep)?,
            }
            sleep = RETRY_MS.1.min(sleep * 2);
        }
    }

    fn try_once(
        &self,
        deadline: &Deadline,
    ) -> Result<Result<(Stream, SplitPath<'a>), Fault<'a>>, Exit> {
        let mut worst = Fault::Absent;
        for (at, &place) in self.list.iter().flatten().enumerate() {
            let Some(address) = Address::new(&[place.base, place.tail]) else {
                if self.explicit && at == 0 {
                    let most = Decimal::new(Address::LONGEST as u32);
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
            let error = match dial(&address, deadline)? {
                Ok(stream) => match judge(stream, place, deadline)? {
                    Ok(stream) => return Ok(Ok((stream, place))),
                    Err(peer) => {
                        if !matches!(worst, Fault::Distrusted(..)) {
                            worst = Fault::Distrusted(place, peer);
                        }
                        continue;
                    }
                },
                Err(error) => error,
            };
            match (error, &worst) {
                (errno::ENOENT | errno::ECONNREFUSED | errno::ENOTDIR, _)
                | (_, Fault::Denied(_) | Fault::Distrusted(..)) => {}
                (errno::EACCES | errno::EPERM, _) => worst = Fault::Denied(place),
                (_, Fault::Failed(..)) => {}
                (_, Fault::Absent) => worst = Fault::Failed(place, error),
            }
        }
        Ok(Err(worst))
    }

    fn report(&self, fault: &Fault<'_>) -> Exit {
        match fault {
            Fault::Distrusted(place, peer) => complain(
                REFUSED,
                &[
                    b"the listener at ",
                    place.base,
                    place.tail,
                    b" belongs to user ",
                    Decimal::new(*peer).digits(),
                    b", neither you nor root, so it was not asked; if you trust that user, name the socket with ",
                    if self.are_admin() {
                        b"--admin-socket".as_slice()
                    } else {
                        b"--socket"
                    },
                ],
            ),
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
                let mut parts = [b"".as_slice(); 12];
                let mut slots = parts.iter_mut();
                let mut push = |part| slots.next().into_iter().for_each(|slot| *slot = part);
                push(match self.door {
                    SocketKind::Tokens | SocketKind::Admin => {
                        b"jetond is not running: nothing listens at ".as_slice()
                    }
                    SocketKind::AdminByAnswer => {
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
                    SocketKind::Tokens => b" (start it with 'jetond run', or name its socket with --socket or JETON_SOCKET)".as_slice(),
                    SocketKind::Admin => b" (start it with 'jetond run', or name its socket with --admin-socket or JETON_ADMIN_SOCKET)",
                    SocketKind::AdminByAnswer => b" (run this where that folder is, or name the socket with --admin-socket or JETON_ADMIN_SOCKET)",
                });
                if !self.explicit && !matches!(self.door, SocketKind::AdminByAnswer) {
                    push(b"; the system's daemon is started by 'systemctl start jetond'");
                }
                complain(UNREACHABLE, &parts)
            }
        }
    }
}

/// Reports whether a socket is in the private folder of a daemon that serves a single command.
fn is_of_a_command(socket: &[u8]) -> bool {
    let folder = b"/jeton-run-";
    socket.windows(folder.len()).any(|part| part == folder)
}
