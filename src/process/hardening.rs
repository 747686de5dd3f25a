//! Hardening of the process before it reads a secret.

use std::io;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use rustix::thread::set_no_new_privs;
use tracing::debug;

/// Protects the secrets of this process: files it creates are private, its memory can be neither dumped nor read by
/// other processes of its user, and nothing it starts can gain privileges. Each step is skipped where the system does
/// not support it.
pub fn harden() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    done(
        "not dumpable",
        set_dumpable_behavior(DumpableBehavior::NotDumpable),
    );
    // 1, not 0: with 0 the kernel writes no core file but still feeds a core to a pipe (systemd-coredump, apport).
    let limit = Rlimit {
        current: Some(1),
        maximum: Some(1),
    };
    done("core limit", setrlimit(Resource::Core, limit));
    done("no new privileges", set_no_new_privs(true));
}

/// Raises the soft limit of open files to the hard limit, since every connection needs a descriptor. Returns the limit
/// in force.
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

/// Returns advice to follow the error with which the system refuses to start the daemon; empty if there is none.
pub fn remedy(error: &io::Error) -> &'static str {
    match rustix::io::Errno::from_io_error(error) {
        Some(rustix::io::Errno::MFILE) => {
            "; raise the limit of open files: LimitNOFILE= of its unit, or ulimit -n"
        }
        _ => "",
    }
}

fn done(what: &'static str, result: rustix::io::Result<()>) {
    if let Err(error) = result {
        debug!(what, %error, "hardening not possible here");
    }
}
