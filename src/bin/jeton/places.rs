//! Where the daemon's sockets may be, and connecting to the first that answers.

use crate::args::Call;
use crate::deadline::{Deadline, sys_failed};
use crate::output::{Decimal, Exit, REFUSED, UNREACHABLE, USAGE, complain, complain_of};
use crate::sys::{self, Env, Errno, Stream, errno};

/// The longest path of a folder that the kernel reports (PATH_MAX).
pub(crate) const PATH_MAX: usize = 4096;

/// How long `ready --wait` sleeps between two tries at first and at most, in milliseconds.
const RETRY_MS: (i32, i32) = (50, 200);

/// How long to sleep while the daemon's queue of connections is full, in milliseconds.
const QUEUE_FULL_MS: i32 = 10;

/// Memory for the places that have to be put together; it belongs to the caller so that [`Places`] can borrow it.
pub(crate) struct Room {
    runtime: [u8; "/run/user/4294967295".len()],
    folder: [u8; PATH_MAX],
}

impl Room {
    pub(crate) const fn new() -> Self {
        Self {
            runtime: [0; _],
            folder: [0; _],
        }
    }
}

/// A path in two parts: it is put together only in the socket address and in messages.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) base: &'a [u8],
    pub(crate) tail: &'static [u8],
}

/// The places to try, in order.
pub(crate) struct Places<'a> {
    list: [Option<Place<'a>>; 3],
    /// Named by the user, so no other one will do.
    explicit: bool,
    admin: bool,
}

/// Why no place could be taken. Ordered: what is worth telling more comes later.
enum Fault<'a> {
    Absent,
    Failed(Place<'a>, Errno),
    Denied(Place<'a>),
}

impl<'a> Places<'a> {
    /// The places for this call: the admin socket for the verbs that change things, else the token socket.
    pub(crate) fn of(call: &Call, env: Env<'static>, room: &'a mut Room) -> Result<Self, Exit> {
        let admin = matches!(call.verb(), Some(b"reload" | b"rotate" | b"applications"));
        let socket = call.socket.or_else(|| env.get(b"JETON_SOCKET"));
        let named = |base, tail| Self {
            list: [Some(Place { base, tail }), None, None],
            explicit: true,
            admin,
        };
        if admin {
            if let Some(path) = call.admin_socket.or_else(|| env.get(b"JETON_ADMIN_SOCKET")) {
                return Ok(named(path, b""));
            }
            if let Some(socket) = socket {
                return Ok(named(
                    folder_of(socket, &mut room.folder)?,
                    b"-admin/admin.sock",
                ));
            }
        } else if let Some(path) = socket {
            return Ok(named(path, b""));
        }
        Ok(Self {
            list: usual(env, admin, &mut room.runtime),
            explicit: false,
            admin,
        })
    }

    /// A connection, and the place that was taken.
    ///
    /// With `retry` a daemon that is not there yet is waited for.
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
        for &place in self.list.iter().flatten() {
            let Some(address) = sys::Address::new(&[place.base, place.tail]) else {
                if self.explicit {
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
                    // The daemon is there and has its hands full.
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
                push(b"jetond is not running: nothing listens at ");
                for (at, place) in self.list.iter().flatten().enumerate() {
                    push(if at == 0 { b"" } else { b" or " });
                    push(place.base);
                    push(place.tail);
                }
                push(if self.admin {
                    b" (start it with 'jetond run', or name its socket with --admin-socket or JETON_ADMIN_SOCKET)".as_slice()
                } else {
                    b" (start it with 'jetond run', or name its socket with --socket or JETON_SOCKET)".as_slice()
                });
                complain(UNREACHABLE, &parts)
            }
        }
    }
}

/// The places that nobody has to name.
#[cfg(not(target_os = "macos"))]
fn usual<'a>(env: Env<'static>, admin: bool, room: &'a mut [u8]) -> [Option<Place<'a>>; 3] {
    let tail: &[u8] = if admin {
        b"/jeton-admin/admin.sock"
    } else {
        b"/jeton/jeton.sock"
    };
    // The XDG specification: a relative path is to be ignored.
    let session = env
        .get(b"XDG_RUNTIME_DIR")
        .filter(|folder| folder.starts_with(b"/"));
    let user = sys::join(room, &[b"/run/user/", Decimal::new(sys::uid()).digits()]);
    let user = user.filter(|&folder| session != Some(folder));
    [session, user, Some(b"/run")].map(|base| base.map(|base| Place { base, tail }))
}

#[cfg(target_os = "macos")]
fn usual<'a>(env: Env<'static>, admin: bool, _: &'a mut [u8]) -> [Option<Place<'a>>; 3] {
    let tail: &[u8] = if admin {
        b"/Library/Application Support/jeton-admin/admin.sock"
    } else {
        b"/Library/Application Support/jeton/jeton.sock"
    };
    [
        env.get(b"HOME").map(|base| Place { base, tail }),
        None,
        None,
    ]
}

/// The folder D of a token socket that was named, to find `D-admin` beside it.
fn folder_of<'a>(socket: &'static [u8], room: &'a mut [u8]) -> Result<&'a [u8], Exit> {
    let folder = socket
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(b".".as_slice(), |at| socket.get(..at).unwrap_or_default());
    let last = folder.rsplit(|&byte| byte == b'/').next();
    let found = match last {
        _ if folder == b"." => sys::cwd(room),
        Some(b"" | b"." | b"..") | None => None,
        Some(_) => Some(folder),
    };
    let unclear =
        b"cannot tell the admin socket from the token socket's path; name it with --admin-socket: ";
    found.ok_or_else(|| complain(USAGE, &[unclear, socket]))
}
