//! Which of several machines that share a home drives a rotation.

/// The machine and the boot that wrote a journal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// The host's name.
    pub name: String,
    /// The boot's ID.
    pub boot_id: String,
}

/// What to do with a journal that is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Drive it, as soon as the lock is free: a process of the same boot may still hold it.
    ByLock,
    /// Drive it: its process is gone with the boot.
    Ours,
    /// Leave it alone: it belongs to this host, which may still drive it. The user can take it over (`--take-over`).
    Theirs(String),
}

/// Decides about a journal that `writer` wrote.
///
/// A lock on a network file system may be local to a machine, so a free lock says nothing about another host.
pub fn claim(writer: &Host, own: &Host, take_over: bool) -> Claim {
    if writer.boot_id == own.boot_id {
        Claim::ByLock
    } else if writer.name == own.name || take_over {
        Claim::Ours
    } else {
        Claim::Theirs(writer.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_hosts_rotation_is_left_alone_unless_it_is_taken_over() {
        let host = |name: &str, boot_id: &str| Host {
            name: name.into(),
            boot_id: boot_id.into(),
        };
        let own = host("a", "1");
        assert_eq!(claim(&host("a", "1"), &own, false), Claim::ByLock);
        // A host that was renamed is the same one as long as it runs.
        assert_eq!(claim(&host("b", "1"), &own, true), Claim::ByLock);
        assert_eq!(claim(&host("a", "2"), &own, false), Claim::Ours);
        let theirs = host("b", "2");
        assert_eq!(claim(&theirs, &own, false), Claim::Theirs("b".into()));
        assert_eq!(claim(&theirs, &own, true), Claim::Ours);
    }
}
