//! The facts about a file or a folder that decide whether it is trusted.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{FileType, Stat, StatVfsMountFlags};

use super::trust_fault::{GroupFault, TrustFault};

/// The facts about a file or a folder to be judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileFacts {
    pub(crate) kind: FileType,
    pub(crate) owner: u32,
    pub(crate) group: u32,
    pub(crate) mode: u32,
    pub(crate) links: u64,
    pub(crate) len: u64,
    /// Whether its file system is mounted read-only: then no process can write to it, whatever the mode says. The
    /// folder of a Kubernetes configuration volume is 0777 and mounted like this.
    pub(crate) read_only: bool,
}

/// Checks that the owner is root or our user: any other owner could give it away or change it.
pub(super) fn owned(owner: u32, uid: u32, kind: FileType) -> Result<(), TrustFault> {
    if owner == 0 || owner == uid {
        Ok(())
    } else {
        Err(TrustFault::Owner {
            owner,
            uid,
            is_file: kind == FileType::RegularFile,
        })
    }
}

// === impl Facts ===

impl FileFacts {
    /// Reads the facts from a descriptor.
    pub(crate) fn of(file: impl AsFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&file)?;
        let mount = rustix::fs::fstatvfs(&file)?;
        let read_only = mount.f_flag.contains(StatVfsMountFlags::RDONLY);
        Ok(Self::new(&stat, read_only))
    }

    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_lossless,
        reason = "the fields' widths differ between systems"
    )]
    pub(super) fn new(stat: &Stat, read_only: bool) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            owner: stat.st_uid,
            group: stat.st_gid,
            mode: stat.st_mode as u32 & 0o7777,
            links: stat.st_nlink as u64,
            len: u64::try_from(stat.st_size).unwrap_or(0),
            read_only,
        }
    }

    /// Judges a regular file: it must belong to root or us, and no other user may write to it.
    pub(crate) fn judge_file(&self, uid: u32) -> Result<(), TrustFault> {
        if self.kind != FileType::RegularFile {
            return Err(TrustFault::NotAFile);
        }
        owned(self.owner, uid, self.kind)?;
        if self.mode & 0o022 != 0 && !self.read_only {
            return Err(self.writable());
        }
        Ok(())
    }

    /// Judges a folder: it must belong to root or us, and no other user may replace entries of ours or of root. With
    /// the sticky bit, only an entry's owner can rename or remove it.
    pub(crate) fn judge_folder(&self, uid: u32) -> Result<(), TrustFault> {
        if self.kind != FileType::Directory {
            return Err(TrustFault::NotAFolder);
        }
        owned(self.owner, uid, self.kind)?;
        if self.mode & 0o022 != 0 && self.mode & 0o1000 == 0 && !self.read_only {
            return Err(self.writable());
        }
        Ok(())
    }

    /// Reports whether only root can write to it, by its owner and mode.
    pub(super) const fn only_root(&self) -> bool {
        self.owner == 0 && self.mode & 0o022 == 0
    }

    /// Judges who can read a private key that [`FileFacts::judge_file`] has accepted.
    ///
    /// Root's file may be readable by its group: root has chosen the members, as with `ssl-cert` on Debian or the
    /// `fsGroup` of a pod. With `for_all`, root's file may be readable by every user.
    pub(super) fn judge_key(&self, for_all: bool) -> Result<(), TrustFault> {
        let by_others = self.mode & 0o004 != 0 && !(self.owner == 0 && for_all);
        let by_group = self.mode & 0o040 != 0 && self.owner != 0;
        if by_others || by_group {
            return Err(self.readable(None));
        }
        Ok(())
    }

    pub(super) const fn readable(&self, doubt: Option<GroupFault>) -> TrustFault {
        TrustFault::Readable {
            mode: self.mode,
            owner: self.owner,
            group: self.group,
            doubt,
        }
    }

    const fn writable(&self) -> TrustFault {
        TrustFault::Writable {
            mode: self.mode,
            owner: self.owner,
            group: self.group,
            doubt: None,
        }
    }

    /// Judges a file that must be private to `uid`: not readable by other users, and with only one name.
    pub(crate) fn judge_private_file(&self, uid: u32) -> Result<(), TrustFault> {
        if self.kind != FileType::RegularFile {
            return Err(TrustFault::NotAFile);
        }
        self.judge_private(uid)?;
        if self.links != 1 {
            return Err(TrustFault::HardLinks(self.links));
        }
        Ok(())
    }

    /// Judges a file that must belong to `uid`; other users may read it.
    pub(super) fn judge_own_file(&self, uid: u32) -> Result<(), TrustFault> {
        if self.kind != FileType::RegularFile {
            return Err(TrustFault::NotAFile);
        }
        self.judge_owner(uid)
    }

    /// Judges a folder that must be private to `uid`.
    pub(crate) fn judge_private_folder(&self, uid: u32) -> Result<(), TrustFault> {
        if self.kind != FileType::Directory {
            return Err(TrustFault::NotAFolder);
        }
        self.judge_private(uid)
    }

    fn judge_owner(&self, uid: u32) -> Result<(), TrustFault> {
        if self.owner == uid {
            return Ok(());
        }
        Err(TrustFault::NotOurs {
            owner: self.owner,
            uid,
        })
    }

    fn judge_private(&self, uid: u32) -> Result<(), TrustFault> {
        self.judge_owner(uid)?;
        if self.mode & 0o077 != 0 {
            return Err(TrustFault::Open {
                mode: self.mode,
                folder: self.kind == FileType::Directory,
            });
        }
        Ok(())
    }
}
