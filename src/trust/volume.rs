//! Volumes that several containers share: a mount point owned by root that every user can write to, such as the
//! `emptyDir` of a pod.
//!
//! Kubernetes creates it with mode 0777, or 2777 with an `fsGroup`, without the sticky bit. Every container that shares
//! the volume can replace what is in it, so it is accepted only if the user named it.

use std::path::Path;

/// The kernel's description of a folder.
#[derive(Debug, Clone, Copy)]
struct FolderDescription {
    owner: u32,
    mode: u32,
    /// Whether it is the root of a mount; `None` if the kernel does not report it (before Linux 5.8).
    is_mount_root: Option<bool>,
}

/// Reports whether `path` itself is such a volume. The root folder is not, whatever its mode.
pub fn is_volume(path: &Path) -> bool {
    path != Path::new("/") && describe(path).is_some_and(FolderDescription::is_volume)
}

#[cfg(target_os = "linux")]
fn describe(path: &Path) -> Option<FolderDescription> {
    use rustix::fs::{AtFlags, CWD, FileType, StatxAttributes, StatxFlags, statx};
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let statx = statx(CWD, path, flags, StatxFlags::BASIC_STATS).ok()?;
    let mode = u32::from(statx.stx_mode);
    let says = |set: StatxAttributes| set.contains(StatxAttributes::MOUNT_ROOT);
    (FileType::from_raw_mode(mode) == FileType::Directory).then(|| FolderDescription {
        owner: statx.stx_uid,
        mode: mode & 0o7777,
        is_mount_root: says(statx.stx_attributes_mask).then(|| says(statx.stx_attributes)),
    })
}

/// Returns none: other systems do not have containers that share volumes like this.
#[cfg(not(target_os = "linux"))]
fn describe(_: &Path) -> Option<FolderDescription> {
    None
}

impl FolderDescription {
    fn is_volume(self) -> bool {
        self.owner == 0 && matches!(self.mode, 0o777 | 0o2777) && self.is_mount_root == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_a_root_owned_mount_point_of_mode_0777() {
        let volume = FolderDescription {
            owner: 0,
            mode: 0o777,
            is_mount_root: Some(true),
        };
        for (mode, good) in [
            (0o777, true),
            (0o2777, true),
            // Not writable by every user, or with further bits, such as the sticky bit.
            (0o775, false),
            (0o757, false),
            (0o770, false),
            (0o1777, false),
            (0o3777, false),
            (0o4777, false),
        ] {
            assert_eq!(
                FolderDescription { mode, ..volume }.is_volume(),
                good,
                "{mode:o}"
            );
        }
        for is_mount_root in [Some(false), None] {
            let folder = FolderDescription {
                is_mount_root,
                ..volume
            };
            assert!(!folder.is_volume(), "{is_mount_root:?}");
        }
        assert!(!FolderDescription { owner: 1, ..volume }.is_volume());
    }

    #[test]
    fn a_folder_of_the_root_file_system_is_not_a_volume() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(dir.path(), open).unwrap();
        for path in [dir.path(), Path::new("/"), Path::new("/nowhere")] {
            assert!(!is_volume(path), "{}", path.display());
        }
    }
}
