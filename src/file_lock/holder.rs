//! The process that holds a lock on a file, for messages to people.

use std::path::Path;

/// Describes the process that holds a lock (`flock`) on this file, such as "process 123 (jetond migrate)". `None` if no
/// process does, or if the system does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn holder(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let meta = path.symlink_metadata().ok()?;
    let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    let file = format!("{major:02x}:{minor:02x}:{}", meta.ino());
    let pid = pid(&std::fs::read_to_string("/proc/locks").ok()?, &file)?;
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Some(match command(&arguments) {
        Some(command) => format!("process {pid} ({command})"),
        None => format!("process {pid}"),
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn holder(_: &Path) -> Option<String> {
    None
}

/// Finds the holder of a lock on this file in `/proc/locks` (proc_locks(5)).
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux has this file")
)]
fn pid(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        // The line of a process that waits has an arrow in front of the kind.
        let is_held = fields.next() == Some("FLOCK");
        let (pid, is_of) = (fields.nth(2)?, fields.next()? == file);
        (is_held && is_of).then(|| pid.parse().ok())?
    })
}

/// Returns the program's name and its subcommand. Further arguments may be anything and are left out.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only Linux has this file")
)]
fn command(arguments: &[u8]) -> Option<String> {
    let mut arguments = arguments.split(|byte| *byte == 0);
    let program = arguments.next()?.rsplit(|byte| *byte == b'/').next()?;
    let is_word = |word: &&[u8]| !word.is_empty() && word.len() <= 32 && !word.starts_with(b"-");
    let program = Some(program).filter(is_word)?;
    let words = std::iter::once(program).chain(arguments.next().filter(is_word));
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    Some(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_in_proc_locks() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 fd:01:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 12 fd:01:78 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 13 fd:02:77 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 14 fd:01:77 0 EOF\n\
                     4: -> FLOCK  ADVISORY  WRITE 15 fd:01:79 0 EOF\n\
                     5: OFDLCK ADVISORY  READ -1 00:05:9 0 EOF\n\
                     6:\n";
        assert_eq!(pid(locks, "fd:01:77"), Some(14));
        assert_eq!(pid(locks, "fd:01:78"), Some(12));
        for none in ["fd:01:79", "00:05:9", "fd:01:7", ""] {
            assert_eq!(pid(locks, none), None, "{none}");
        }
    }

    #[test]
    fn a_lock_holders_command_is_shown_as_program_and_subcommand() {
        let long = [&[b'a'; 33][..], b"\0migrate\0"].concat();
        for (arguments, shown) in [
            (
                &b"/usr/bin/jetond\0migrate\0research\0"[..],
                Some("jetond migrate"),
            ),
            (b"jetond\0", Some("jetond")),
            (b"jetond\0--config\0/x\0", Some("jetond")),
            (b"\0migrate\0", None),
            (b"", None),
            (&long, None),
        ] {
            assert_eq!(command(arguments).as_deref(), shown);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_holder_of_a_lock_is_described_by_its_process() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(holder(file.path()), None);
        let lock = super::super::FileLock::try_exclusive(file.reopen().unwrap()).unwrap();
        let ours = format!("process {} (", std::process::id());
        // Some file systems show another device here than `stat` does.
        let described = holder(file.path());
        assert!(described.is_none_or(|described| described.starts_with(&ours)));
        drop(lock);
        assert_eq!(holder(file.path()), None);
    }
}
