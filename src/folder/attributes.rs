//! The owner, group and mode of a file.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;

use rustix::fs::{Gid, Mode, Uid};

/// The owner, group and mode of a new file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) owner: u32,
    /// `None` keeps the group that the system assigns.
    pub(crate) group: Option<u32>,
    pub(crate) mode: u16,
}

impl Attributes {
    /// Applies the attributes to a file that was just created.
    pub(crate) fn apply(self, file: &File) -> io::Result<()> {
        let stat = rustix::fs::fstat(file)?;
        let owner = Some(self.owner).filter(|&owner| owner != stat.st_uid);
        let group = self.group.filter(|&group| group != stat.st_gid);
        if owner.is_some() || group.is_some() {
            rustix::fs::fchown(
                file.as_fd(),
                owner.map(Uid::from_raw),
                group.map(Gid::from_raw),
            )?;
        }
        // After the change of owner, which clears some mode bits.
        Ok(rustix::fs::fchmod(
            file,
            Mode::from_raw_mode(self.mode.into()),
        )?)
    }
}
