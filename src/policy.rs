//! Who may ask: a pure function of numbers that the kernel gave.

/// The overflow user: what the kernel shows for a uid that has no number in our user namespace, so it may be anybody.
const OVERFLOW_UID: u32 = 65_534;

/// No user at all: `(uid_t) -1`.
const NO_UID: u32 = u32::MAX;

/// Whether our user namespace shows every user under its own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserNamespace {
    /// The full identity map, as on the host.
    Identity,
    /// Another map, as in a container: other users may share numbers with somebody else.
    Other,
}

/// Who may ask for anything at all: the daemon's own user and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// The daemon's effective user.
    pub own_uid: u32,
    /// The namespace in which uids are seen.
    pub namespace: UserNamespace,
}

// === impl UserNamespace ===

impl UserNamespace {
    /// Reads the text of `/proc/self/uid_map` (user_namespaces(7)); what cannot be read is another map.
    pub fn of_uid_map(text: Option<&str>) -> Self {
        let mut words = text.unwrap_or_default().split_ascii_whitespace();
        let map = (words.next(), words.next(), words.next(), words.next());
        if map == (Some("0"), Some("0"), Some("4294967295"), None) {
            Self::Identity
        } else {
            Self::Other
        }
    }
}

// === impl Gate ===

impl Gate {
    /// Whether the peer with this uid, by the kernel's word, is let in.
    ///
    /// In another namespace than the host's only our own uid is: root there may be somebody else's root, and all
    /// whom the map leaves out share one number.
    pub const fn admits(&self, uid: u32) -> bool {
        match (uid, self.namespace) {
            (NO_UID, _) | (OVERFLOW_UID, UserNamespace::Other) => false,
            (uid, UserNamespace::Other) => uid == self.own_uid,
            (uid, UserNamespace::Identity) => uid == self.own_uid || uid == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_full_identity_map_is_the_hosts() {
        let host = "         0          0 4294967295\n";
        assert_eq!(
            UserNamespace::of_uid_map(Some(host)),
            UserNamespace::Identity
        );
        for other in [
            None,
            Some(""),
            Some("0 1000 1"),
            Some("0 0 65536"),
            Some("0 0 4294967295\n1 1 1"),
            Some("0 100000 65536\n65536 1000 1"),
        ] {
            assert_eq!(
                UserNamespace::of_uid_map(other),
                UserNamespace::Other,
                "{other:?}"
            );
        }
    }

    #[test]
    fn our_own_user_and_root_are_let_in_and_nobody_else() {
        use UserNamespace::{Identity, Other};
        for (own_uid, namespace, uid, admitted) in [
            (1_000, Identity, 1_000, true),
            (1_000, Identity, 0, true),
            (1_000, Identity, 1_001, false),
            (1_000, Identity, 65_534, false),
            (1_000, Identity, u32::MAX, false),
            (0, Identity, 0, true),
            (0, Identity, 1_000, false),
            (65_534, Identity, 65_534, true),
            (u32::MAX, Identity, u32::MAX, false),
            (1_000, Other, 1_000, true),
            (1_000, Other, 0, false),
            (0, Other, 0, true),
            (65_534, Other, 65_534, false),
            (u32::MAX, Other, u32::MAX, false),
        ] {
            let gate = Gate { own_uid, namespace };
            assert_eq!(gate.admits(uid), admitted, "{gate:?} {uid}");
        }
    }
}
