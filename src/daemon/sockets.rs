//! Both sockets, passed or bound.

use std::os::unix::net::UnixListener;

use super::activation::{Passed, path_of};
use super::listener::{Bound, ListenError, Place, listen_at};
use crate::config::SocketMode;
use crate::paths::SocketPlaces;

/// Both sockets, passed or bound before anything is started.
pub(super) struct Sockets {
    pub(super) tokens: (UnixListener, Option<Bound>),
    pub(super) admin: (UnixListener, Option<Bound>),
}

// === impl Sockets ===

impl Sockets {
    /// Those that were passed, and the others at their places.
    pub(super) fn open(
        passed: Passed,
        places: &SocketPlaces,
        mode: SocketMode,
        uid: u32,
    ) -> Result<Self, ListenError> {
        let open = |passed: Option<UnixListener>, place: Place<'_>| match passed {
            Some(listener) => Ok((listener, None)),
            None => listen_at(place).map(|(listener, bound)| (listener, Some(bound))),
        };
        let mut admin_lock = places.admin.clone().into_os_string();
        admin_lock.push(".lock");
        let tokens = Place {
            socket: &places.token,
            lock: &places.lock,
            mode,
            explicit: places.explicit,
            uid,
        };
        // Nobody else changes anything, whoever may have tokens.
        let admin = Place {
            socket: &places.admin,
            lock: admin_lock.as_ref(),
            mode: SocketMode::Private,
            explicit: true,
            uid,
        };
        Ok(Self {
            tokens: open(passed.tokens, tokens)?,
            admin: open(passed.admin, admin)?,
        })
    }

    /// Where tokens are served, for people.
    pub(super) fn shown(&self) -> String {
        let path = path_of(&self.tokens.0);
        path.map_or_else(String::new, |path| path.display().to_string())
    }
}
