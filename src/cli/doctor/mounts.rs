//! Finds the file system of a path in the list of mounts: asking a network file system itself may hang.

use std::path::{Path, PathBuf};

/// File systems that several hosts share, as the kernel or their mounts name them.
const SHARED: [&str; 22] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "panfs",
    "pvfs2",
    "smb3",
    "smbfs",
    "virtiofs",
    "vboxsf",
    "wekafs",
];

/// Shared file systems in user space, by their names after `fuse.`.
const SHARED_FUSE: [&str; 9] = [
    "beegfs",
    "ceph",
    "gcsfuse",
    "glusterfs",
    "juicefs",
    "mfs",
    "rclone",
    "s3fs",
    "sshfs",
];

/// The type of the file system of `path`, an absolute path without links; `mounts` is `/proc/self/mountinfo` (proc(5)).
pub(super) fn kind<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    mounts
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let point = unescaped(left.split(' ').nth(4)?);
            let kind = right.split(' ').next()?;
            path.starts_with(&point).then_some((point, kind))
        })
        // Of two mounts on one point the later one hides the other, and `max_by_key` takes the last.
        .max_by_key(|(point, _)| point.components().count())
        .map(|(_, kind)| kind)
}

/// Whether other hosts may share a file system of this type.
pub(super) fn is_shared(kind: &str) -> bool {
    match kind.strip_prefix("fuse.") {
        Some(program) => SHARED_FUSE.contains(&program),
        None => SHARED.contains(&kind),
    }
}

/// Decodes a mount point, where the kernel writes a space as `\040`.
fn unescaped(text: &str) -> PathBuf {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let code = after.get(..3).and_then(|d| u8::from_str_radix(d, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    PathBuf::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:21 / /home rw - autofs systemd-1 rw
24 23 0:22 / /home rw - nfs4 server:/home rw
25 22 0:23 / /mnt/my\\040disk rw master:3 - fuse.sshfs host:/ rw
26 22 0:24 / /run rw - tmpfs tmpfs rw
a line that is none
";

    #[test]
    fn the_longest_and_latest_matching_mount_point_decides() {
        for (path, expected) in [
            ("/etc", "ext4"),
            ("/home/u/.local", "nfs4"),
            ("/homes", "ext4"),
            ("/mnt/my disk/x", "fuse.sshfs"),
            ("/run/user/1000", "tmpfs"),
        ] {
            assert_eq!(kind(MOUNTS, Path::new(path)), Some(expected), "{path}");
        }
        assert_eq!(kind("", Path::new("/")), None);
    }

    #[test]
    fn file_systems_shared_between_hosts_are_recognized() {
        for shared in ["nfs", "nfs4", "cifs", "lustre", "gpfs", "afs", "fuse.sshfs"] {
            assert!(is_shared(shared), "{shared}");
        }
        for own in [
            "ext4",
            "xfs",
            "tmpfs",
            "overlay",
            "fuse.gvfsd-fuse",
            "autofs",
        ] {
            assert!(!is_shared(own), "{own}");
        }
    }
}
