//! Decides which of several machines that share a home drives a rotation.

/// The machine and the boot that wrote a journal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// The host's name.
    pub name: String,
    /// The boot's ID.
    pub boot_id: String,
}

/// The decision about a journal that is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Drive the rotation as soon as its lock is free; another process of the same boot may hold it.
    ByLock,
    /// Drive the rotation: the process that wrote the journal ended with its boot.
    Ours,
    /// Do not touch the rotation: this host may still drive it. The user can take it over (`--take-over`).
    Theirs(String),
}

/// Decides about a journal that `writer` wrote.
///
/// The lock on a network file system may be local to a machine, so a free lock says nothing about another host.
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
    fn a_rotation_of_another_host_is_claimed_only_by_take_over() {
        let host = |name: &str, boot_id: &str| Host {
            name: name.into(),
            boot_id: boot_id.into(),
        };
        let own = host("a", "1");
        assert_eq!(claim(&host("a", "1"), &own, false), Claim::ByLock);
        // A renamed host is the same one within its boot.
        assert_eq!(claim(&host("b", "1"), &own, true), Claim::ByLock);
        assert_eq!(claim(&host("a", "2"), &own, false), Claim::Ours);
        let theirs = host("b", "2");
        assert_eq!(claim(&theirs, &own, false), Claim::Theirs("b".into()));
        assert_eq!(claim(&theirs, &own, true), Claim::Ours);
    }
}
