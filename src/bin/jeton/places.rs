//! The possible locations of the daemon's sockets.

use crate::args::Call;
use crate::bytes::join;
use crate::output::{Decimal, Exit, USAGE, complain};
use crate::sys::{self, BufferGuard, Env, StaticBuffer};

mod connect;
mod dial;
mod trust;
#[cfg(target_os = "linux")]
mod trusted_folders;

/// The longest path of a folder that the kernel reports (PATH_MAX).
pub(crate) const PATH_MAX: usize = 4096;

/// Memory for paths that are built at run time. The caller owns it, so that [`Places`] can borrow it.
pub(crate) struct PathBuffers {
    runtime: [u8; "/run/user/4294967295".len()],
    /// Lent only for a socket in the current folder: few calls need it, and clearing it would cost more than they do.
    folder: Option<BufferGuard<[u8; PATH_MAX]>>,
}

static FOLDER: StaticBuffer<[u8; PATH_MAX]> = StaticBuffer::new([0; PATH_MAX]);

impl PathBuffers {
    pub(crate) const fn new() -> Self {
        Self {
            runtime: [0; _],
            folder: None,
        }
    }
}

/// A path in two parts, which are joined only in the socket address and in messages.
#[derive(Clone, Copy)]
pub(crate) struct SplitPath<'a> {
    pub(crate) base: &'a [u8],
    pub(crate) tail: &'static [u8],
    /// Whether the user named the place. If so, any peer there is trusted.
    pub(crate) named: bool,
}

/// The places to try, in order.
pub(crate) struct Places<'a> {
    list: [Option<SplitPath<'a>>; 3],
    /// Whether there is no other place to try: the user chose this one, or it is beside the socket that was already
    /// used.
    explicit: bool,
    door: SocketKind,
}

/// The socket that the places are for. For the admin socket it also records why the call goes there, which decides the
/// message if the socket is missing.
#[derive(Clone, Copy)]
enum SocketKind {
    Tokens,
    Admin,
    /// The admin socket, because the daemon's reply at the token socket redirected the request.
    AdminByAnswer,
}

impl<'a> Places<'a> {
    /// Returns the places for this call: the admin socket for `reload` and if that socket is named, else the token
    /// socket. For other admin verbs, the daemon's reply redirects the request, so that a later daemon can add such
    /// verbs.
    pub(crate) fn of(
        call: &Call,
        env: Env<'static>,
        room: &'a mut PathBuffers,
    ) -> Result<Self, Exit> {
        if let Some(path) = call.admin_socket {
            return Ok(Self::one(by_option(path), SocketKind::Admin));
        }
        // Every daemon prints the usage of a verb at its token socket.
        if call.verb() != Some(b"reload") || call.asks_for_help() {
            return Ok(Self::tokens(call, env, room));
        }
        let named = by_variable(env, b"JETON_ADMIN_SOCKET");
        Ok(match (named, Self::token_socket(call, env)) {
            (Some(place), _) => Self::one(place, SocketKind::Admin),
            (None, Some(place)) => return Self::beside(place, room, SocketKind::Admin),
            (None, None) => Self::usual(env, SocketKind::Admin, room),
        })
    }

    /// Returns the places of the token socket.
    pub(crate) fn tokens(call: &Call, env: Env<'static>, room: &'a mut PathBuffers) -> Self {
        match Self::token_socket(call, env) {
            Some(place) => Self::one(place, SocketKind::Tokens),
            None => Self::usual(env, SocketKind::Tokens, room),
        }
    }

    /// Returns the admin socket of the daemon that redirected the request from its token socket, `taken`.
    pub(crate) fn admin_of(
        taken: SplitPath<'a>,
        env: Env<'static>,
        room: &'a mut PathBuffers,
    ) -> Result<Self, Exit> {
        match by_variable(env, b"JETON_ADMIN_SOCKET") {
            Some(place) => Ok(Self::one(place, SocketKind::AdminByAnswer)),
            None => Self::beside(taken, room, SocketKind::AdminByAnswer),
        }
    }

    /// Returns the token socket that the caller chose, if any.
    fn token_socket(call: &Call, env: Env<'static>) -> Option<SplitPath<'static>> {
        let by_option = call.socket.map(by_option);
        by_option.or_else(|| by_variable(env, b"JETON_SOCKET"))
    }

    /// Returns the admin socket beside a token socket.
    fn beside(
        tokens: SplitPath<'a>,
        room: &'a mut PathBuffers,
        door: SocketKind,
    ) -> Result<Self, Exit> {
        // A chosen place is a complete path; a default place has a tail.
        if tokens.tail.is_empty() {
            let base = folder_of(tokens.base, &mut room.folder)?;
            let inside = |tail| {
                Some(SplitPath {
                    base,
                    tail,
                    ..tokens
                })
            };
            Ok(Self {
                // If the token socket is at the mount point of a volume, the admin socket may be inside the volume.
                list: [
                    inside(b"-admin/admin.sock"),
                    inside(b"/jeton-admin/admin.sock"),
                    None,
                ],
                explicit: true,
                door,
            })
        } else {
            let tail = ADMIN_TAIL;
            Ok(Self::one(SplitPath { tail, ..tokens }, door))
        }
    }

    fn usual(env: Env<'static>, door: SocketKind, room: &'a mut PathBuffers) -> Self {
        let tail = match door {
            SocketKind::Tokens => TOKEN_TAIL,
            SocketKind::Admin | SocketKind::AdminByAnswer => ADMIN_TAIL,
        };
        Self {
            list: usual(env, tail, &mut room.runtime),
            explicit: false,
            door,
        }
    }

    /// Returns a single place, which the caller chose.
    fn one(place: SplitPath<'a>, door: SocketKind) -> Self {
        Self {
            list: [Some(place), None, None],
            explicit: true,
            door,
        }
    }

    /// Reports whether these are places of the admin socket.
    pub(crate) fn are_admin(&self) -> bool {
        !matches!(self.door, SocketKind::Tokens)
    }
}

/// Creates a place that an option names.
fn by_option(base: &[u8]) -> SplitPath<'_> {
    SplitPath {
        base,
        tail: b"",
        named: true,
    }
}

/// Returns the place that a variable names. Root's variables may come from another user, as with `su` and `sudo -E`, so
/// for root the place does not count as named.
#[inline(never)]
fn by_variable(env: Env<'static>, name: &[u8]) -> Option<SplitPath<'static>> {
    let named = sys::uid() != 0;
    env.get(name).map(|base| SplitPath {
        named,
        ..by_option(base)
    })
}

/// Creates a default place, which the user did not name.
fn by_custom<'a>(base: &'a [u8], tail: &'static [u8]) -> SplitPath<'a> {
    SplitPath {
        base,
        tail,
        named: false,
    }
}

/// The paths of the token socket and of the admin socket, below the runtime folder.
#[cfg(not(target_os = "macos"))]
const TOKEN_TAIL: &[u8] = b"/jeton/jeton.sock";
#[cfg(not(target_os = "macos"))]
const ADMIN_TAIL: &[u8] = b"/jeton-admin/admin.sock";
#[cfg(target_os = "macos")]
const TOKEN_TAIL: &[u8] = b"/Library/Application Support/jeton/jeton.sock";
#[cfg(target_os = "macos")]
const ADMIN_TAIL: &[u8] = b"/Library/Application Support/jeton-admin/admin.sock";

/// Returns the default places.
#[cfg(not(target_os = "macos"))]
fn usual<'a>(
    env: Env<'static>,
    tail: &'static [u8],
    room: &'a mut [u8],
) -> [Option<SplitPath<'a>>; 3] {
    // The XDG specification requires a relative path to be ignored.
    let session = env
        .get(b"XDG_RUNTIME_DIR")
        .filter(|folder| folder.starts_with(b"/"));
    let user = join(room, &[b"/run/user/", Decimal::new(sys::uid()).digits()]);
    let user = user.filter(|&folder| session != Some(folder));
    [session, user, Some(b"/run")].map(|base| base.map(|base| by_custom(base, tail)))
}

#[cfg(target_os = "macos")]
fn usual<'a>(
    env: Env<'static>,
    tail: &'static [u8],
    _: &'a mut [u8],
) -> [Option<SplitPath<'a>>; 3] {
    [
        env.get(b"HOME").map(|base| by_custom(base, tail)),
        None,
        None,
    ]
}

/// Returns the folder D of a named token socket, to find `D-admin` beside it.
fn folder_of<'a>(
    socket: &'a [u8],
    room: &'a mut Option<BufferGuard<[u8; PATH_MAX]>>,
) -> Result<&'a [u8], Exit> {
    let folder = socket
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(b".".as_slice(), |at| socket.get(..at).unwrap_or_default());
    let last = folder.rsplit(|&byte| byte == b'/').next();
    let found = match last {
        _ if folder == b"." => sys::cwd(&mut **room.insert(FOLDER.lend()?)),
        Some(b"" | b"." | b"..") | None => None,
        Some(_) => Some(folder),
    };
    let unclear =
        b"cannot tell the admin socket from the token socket's path; name it with --admin-socket: ";
    found.ok_or_else(|| complain(USAGE, &[unclear, socket]))
}
