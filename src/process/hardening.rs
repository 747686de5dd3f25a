//! What the process gives up before it reads a secret.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use rustix::thread::set_no_new_privs;
use tracing::debug;

/// Makes the process a bad place to steal from: files it makes are its own, its memory can be neither dumped nor read
/// by others of its user, and nothing it starts can gain rights. Each is done where it can be.
pub fn harden() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    done(
        "not dumpable",
        set_dumpable_behavior(DumpableBehavior::NotDumpable),
    );
    // 1 and not 0: the kernel takes 0 for "no core file" but still feeds a core to a pipe (systemd-coredump, apport).
    let limit = Rlimit {
        current: Some(1),
        maximum: Some(1),
    };
    done("core limit", setrlimit(Resource::Core, limit));
    done("no new privileges", set_no_new_privs(true));
}

/// Raises the soft limit of open files to the hard one, since every connection needs one. Returns the limit in force.
pub fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    done("descriptor limit", setrlimit(Resource::Nofile, raised));
    // `None` means no limit.
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn done(what: &'static str, result: rustix::io::Result<()>) {
    if let Err(error) = result {
        debug!(what, %error, "hardening not possible here");
    }
}
