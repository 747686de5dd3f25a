//! The places where the daemon's sockets may be.

use crate::args::Call;
use crate::bytes::join;
use crate::output::{Decimal, Exit, USAGE, complain};
use crate::sys::{self, Env};

mod connect;

/// The longest path of a folder that the kernel reports (PATH_MAX).
pub(crate) const PATH_MAX: usize = 4096;

/// Memory for the paths that are built at run time; the caller owns it so that [`Places`] can borrow it.
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

/// A path in two parts, joined only in the socket address and in messages.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) base: &'a [u8],
    pub(crate) tail: &'static [u8],
}

/// The places to try, in order.
pub(crate) struct Places<'a> {
    list: [Option<Place<'a>>; 3],
    /// Whether the user named the place, or it lies beside the socket already connected to: then there is no other
    /// place to try.
    explicit: bool,
    door: Door,
}

/// Which socket the places are for. For the admin socket it also says how the call got there, which decides the message
/// when the socket is missing.
#[derive(Clone, Copy)]
enum Door {
    Tokens,
    Admin,
    /// The daemon's answer at the token socket sent the request there.
    AdminByAnswer,
}

impl<'a> Places<'a> {
    /// The places for this call: the admin socket for `reload` and where that socket is named, else the token socket.
    /// For any other admin verb the daemon's answer redirects the request, so that a later daemon can add such verbs.
    pub(crate) fn of(call: &Call, env: Env<'static>, room: &'a mut Room) -> Result<Self, Exit> {
        if let Some(path) = call.admin_socket {
            return Ok(Self::named(path, b"", Door::Admin));
        }
        // Any daemon tells the usage of a verb at its token socket.
        if call.verb() != Some(b"reload") || call.asks_for_help() {
            return Ok(Self::tokens(call, env, room));
        }
        let named = env.get(b"JETON_ADMIN_SOCKET");
        Ok(match (named, Self::token_socket(call, env)) {
            (Some(path), _) => Self::named(path, b"", Door::Admin),
            (None, Some(base)) => {
                return Self::beside(Place { base, tail: b"" }, room, Door::Admin);
            }
            (None, None) => Self::usual(env, Door::Admin, room),
        })
    }

    /// The places of the token socket.
    pub(crate) fn tokens(call: &Call, env: Env<'static>, room: &'a mut Room) -> Self {
        match Self::token_socket(call, env) {
            Some(path) => Self::named(path, b"", Door::Tokens),
            None => Self::usual(env, Door::Tokens, room),
        }
    }

    /// The admin socket of the daemon that redirected the request from its token socket, `taken`.
    pub(crate) fn admin_of(
        taken: Place<'a>,
        env: Env<'static>,
        room: &'a mut Room,
    ) -> Result<Self, Exit> {
        match env.get(b"JETON_ADMIN_SOCKET") {
            Some(path) => Ok(Self::named(path, b"", Door::AdminByAnswer)),
            None => Self::beside(taken, room, Door::AdminByAnswer),
        }
    }

    /// The token socket that the caller named, if any.
    fn token_socket(call: &Call, env: Env<'static>) -> Option<&'static [u8]> {
        call.socket.or_else(|| env.get(b"JETON_SOCKET"))
    }

    /// The admin socket beside a token socket.
    fn beside(tokens: Place<'a>, room: &'a mut Room, door: Door) -> Result<Self, Exit> {
        // A named place is a whole path; any other place has the usual tail.
        if tokens.tail.is_empty() {
            let folder = folder_of(tokens.base, &mut room.folder)?;
            let mut places = Self::named(folder, b"-admin/admin.sock", door);
            // If the token socket is at a volume's mount point, the admin socket may be inside it.
            places.list[1] = Some(Place {
                base: folder,
                tail: b"/jeton-admin/admin.sock",
            });
            Ok(places)
        } else {
            Ok(Self::named(tokens.base, ADMIN_TAIL, door))
        }
    }

    fn usual(env: Env<'static>, door: Door, room: &'a mut Room) -> Self {
        let tail = match door {
            Door::Tokens => TOKEN_TAIL,
            Door::Admin | Door::AdminByAnswer => ADMIN_TAIL,
        };
        Self {
            list: usual(env, tail, &mut room.runtime),
            explicit: false,
            door,
        }
    }

    /// A single place, which the caller named.
    fn named(base: &'a [u8], tail: &'static [u8], door: Door) -> Self {
        Self {
            list: [Some(Place { base, tail }), None, None],
            explicit: true,
            door,
        }
    }

    /// Whether these are places of the admin socket.
    pub(crate) fn are_admin(&self) -> bool {
        !matches!(self.door, Door::Tokens)
    }
}

/// What follows the runtime folder in the usual place of the token socket, and of the admin socket.
#[cfg(not(target_os = "macos"))]
const TOKEN_TAIL: &[u8] = b"/jeton/jeton.sock";
#[cfg(not(target_os = "macos"))]
const ADMIN_TAIL: &[u8] = b"/jeton-admin/admin.sock";
#[cfg(target_os = "macos")]
const TOKEN_TAIL: &[u8] = b"/Library/Application Support/jeton/jeton.sock";
#[cfg(target_os = "macos")]
const ADMIN_TAIL: &[u8] = b"/Library/Application Support/jeton-admin/admin.sock";

/// The default places.
#[cfg(not(target_os = "macos"))]
fn usual<'a>(env: Env<'static>, tail: &'static [u8], room: &'a mut [u8]) -> [Option<Place<'a>>; 3] {
    // XDG specification: a relative path must be ignored.
    let session = env
        .get(b"XDG_RUNTIME_DIR")
        .filter(|folder| folder.starts_with(b"/"));
    let user = join(room, &[b"/run/user/", Decimal::new(sys::uid()).digits()]);
    let user = user.filter(|&folder| session != Some(folder));
    [session, user, Some(b"/run")].map(|base| base.map(|base| Place { base, tail }))
}

#[cfg(target_os = "macos")]
fn usual<'a>(env: Env<'static>, tail: &'static [u8], _: &'a mut [u8]) -> [Option<Place<'a>>; 3] {
    [
        env.get(b"HOME").map(|base| Place { base, tail }),
        None,
        None,
    ]
}

/// The folder D of a named token socket, to find `D-admin` beside it.
fn folder_of<'a>(socket: &'a [u8], room: &'a mut [u8]) -> Result<&'a [u8], Exit> {
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
