//! Programs that are started for a secret: judged before they run with our rights.

use std::path::Path;

use rustix::fs::CWD;

use super::facts::FileFacts;
use super::{Purpose, TrustFault, UntrustedPath, acl, explained, group, resolve};

/// Judges a program at the end of a path with any links: only root and `uid` can have written it, or can replace it. So
/// the program that is started by this path next is the judged one, or another one of theirs.
///
/// # Errors
/// [`UntrustedPath`] names the program, or the folder or link on the way to it, and the remedy.
pub fn judge_program(path: &Path, uid: u32) -> Result<(), UntrustedPath> {
    judge(path, uid).map_err(|untrusted| explained(untrusted.meant_for(Purpose::Program), uid))
}

fn judge(path: &Path, uid: u32) -> Result<(), UntrustedPath> {
    let real = resolve(path, uid)?;
    let untrusted = |why| UntrustedPath::new(&real, why);
    // It is not opened: a program may be executable without being readable.
    let stat = rustix::fs::statat(CWD, &real, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
    let stat = stat.map_err(|e| untrusted(TrustFault::io("read the state of", e.into())))?;
    FileFacts::new(&stat, false)
        .judge_file(uid)
        .or_else(|why| group::accept_private(why, uid, || acl::of_path(&real)))
        .map_err(untrusted)
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_program_is_trusted_only_if_no_other_user_can_change_or_replace_it() {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let mode = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
        mode(dir.path(), 0o755);
        let (program, link) = (dir.path().join("program"), dir.path().join("link"));
        std::fs::write(&program, "").unwrap();
        symlink(&program, &link).unwrap();
        for (of_file, of_folder, is_good) in [
            (0o755, 0o755, true),
            (0o711, 0o755, true),
            (0o757, 0o755, false),
            (0o755, 0o757, false),
            (0o755, 0o1777, true),
        ] {
            mode(&program, of_file);
            mode(dir.path(), of_folder);
            for path in [&program, &link] {
                let judged = judge_program(path, uid);
                assert_eq!(judged.is_ok(), is_good, "{of_file:o} {of_folder:o}");
            }
        }
        mode(dir.path(), 0o755);
        for path in [dir.path(), &dir.path().join("none")] {
            assert!(judge_program(path, uid).is_err(), "{}", path.display());
        }
        assert!(judge_program(&program, uid + 1).is_err() || uid == 0);
    }
}
