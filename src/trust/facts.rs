//! What is known of a file or a folder, and whether that is enough to trust it.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{FileType, Stat, StatVfsMountFlags};

use super::distrust::Distrust;

/// What is known of a file or a folder when it is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) kind: FileType,
    pub(crate) owner: u32,
    pub(crate) group: u32,
    pub(crate) mode: u32,
    pub(crate) links: u64,
    pub(crate) len: u64,
    /// On a file system that is mounted read-only: nobody writes to it, whatever the mode says. The folder of a
    /// Kubernetes configuration volume is 0777 and mounted like this.
    pub(crate) read_only: bool,
}

/// Root's or ours: everybody else could give it away or take it back.
pub(super) fn owned(owner: u32, uid: u32, kind: FileType) -> Result<(), Distrust> {
    if owner == 0 || owner == uid {
        Ok(())
    } else {
        Err(Distrust::Owner {
            owner,
            uid,
            is_file: kind == FileType::RegularFile,
        })
    }
}

// === impl Facts ===

impl Facts {
    /// What the descriptor says.
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

    /// A regular file of root or us that nobody else can write to.
    pub(crate) fn judge_file(&self, uid: u32) -> Result<(), Distrust> {
        if self.kind != FileType::RegularFile {
            return Err(Distrust::NotAFile);
        }
        owned(self.owner, uid, self.kind)?;
        if self.mode & 0o022 != 0 && !self.read_only {
            return Err(self.writable());
        }
        Ok(())
    }

    /// A folder of root or us in which nobody else can exchange what we or root have put there: where the sticky bit
    /// is set, only its owner can rename or remove an entry.
    pub(crate) fn judge_folder(&self, uid: u32) -> Result<(), Distrust> {
        if self.kind != FileType::Directory {
            return Err(Distrust::NotAFolder);
        }
        owned(self.owner, uid, self.kind)?;
        if self.mode & 0o022 != 0 && self.mode & 0o1000 == 0 && !self.read_only {
            return Err(self.writable());
        }
        Ok(())
    }

    const fn writable(&self) -> Distrust {
        Distrust::Writable {
            mode: self.mode,
            owner: self.owner,
            group: self.group,
            doubt: None,
        }
    }

    /// A file that is `uid`'s alone: nobody else can read it, and it has one name.
    pub(crate) fn judge_private_file(&self, uid: u32) -> Result<(), Distrust> {
        if self.kind != FileType::RegularFile {
            return Err(Distrust::NotAFile);
        }
        self.judge_private(uid)?;
        if self.links != 1 {
            return Err(Distrust::HardLinks(self.links));
        }
        Ok(())
    }

    /// A file of `uid`, whoever can read it.
    pub(super) fn judge_own_file(&self, uid: u32) -> Result<(), Distrust> {
        if self.kind != FileType::RegularFile {
            return Err(Distrust::NotAFile);
        }
        self.judge_owner(uid)
    }

    /// A folder that is `uid`'s alone.
    pub(crate) fn judge_private_folder(&self, uid: u32) -> Result<(), Distrust> {
        if self.kind != FileType::Directory {
            return Err(Distrust::NotAFolder);
        }
        self.judge_private(uid)
    }

    fn judge_owner(&self, uid: u32) -> Result<(), Distrust> {
        if self.owner == uid {
            return Ok(());
        }
        Err(Distrust::NotOurs {
            owner: self.owner,
            uid,
        })
    }

    fn judge_private(&self, uid: u32) -> Result<(), Distrust> {
        self.judge_owner(uid)?;
        if self.mode & 0o077 != 0 {
            return Err(Distrust::Open {
                mode: self.mode,
                folder: self.kind == FileType::Directory,
            });
        }
        Ok(())
    }
}
