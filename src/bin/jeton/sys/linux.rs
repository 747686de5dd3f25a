//! Numbers and layouts of Linux, shared by its two variants. Sources: `uapi/linux/stat.h`, `uapi/linux/fcntl.h` and
//! `asm-generic/fcntl.h`, socket(7), unix(7).

pub(crate) const AT_FDCWD: i32 = -100;
pub(crate) const AT_SYMLINK_NOFOLLOW: i32 = 0x100;
pub(crate) const AT_NO_AUTOMOUNT: i32 = 0x800;
pub(crate) const AT_EMPTY_PATH: i32 = 0x1000;

pub(super) const O_RDONLY: i32 = 0;
pub(super) const O_CLOEXEC: i32 = 0o2_000_000;
pub(super) const O_PATH: i32 = 0o10_000_000;

pub(super) const SOL_SOCKET: i32 = 1;
pub(super) const SO_PEERCRED: i32 = 17;

pub(super) const STATX_BASIC_STATS: u32 = 0x7ff;
/// Since Linux 5.8.
const STATX_ATTR_MOUNT_ROOT: u64 = 0x2000;

const S_IFMT: u16 = 0o170_000;
const S_IFDIR: u16 = 0o040_000;

/// `struct ucred`.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Ucred {
    pid: i32,
    pub(crate) uid: u32,
    gid: u32,
}

/// `struct statx`; the unused rest is padding up to its 256 bytes.
#[repr(C)]
pub(crate) struct Statx {
    mask: u32,
    block_size: u32,
    attributes: u64,
    links: u32,
    uid: u32,
    gid: u32,
    mode: u16,
    padding: u16,
    inode: u64,
    size_and_blocks: [u64; 2],
    attributes_mask: u64,
    times: [u64; 8],
    special_device: [u32; 2],
    device: [u32; 2],
    rest: [u64; 14],
}

const _: () = assert!(size_of::<Statx>() == 256);

impl Statx {
    pub(super) const fn new() -> Self {
        Self {
            mask: 0,
            block_size: 0,
            attributes: 0,
            links: 0,
            uid: 0,
            gid: 0,
            mode: 0,
            padding: 0,
            inode: 0,
            size_and_blocks: [0; _],
            attributes_mask: 0,
            times: [0; _],
            special_device: [0; _],
            device: [0; _],
            rest: [0; _],
        }
    }

    pub(crate) fn owner(&self) -> u32 {
        self.uid
    }

    /// Returns the permission bits with the set-ID bits and the sticky bit; `None` if this is not a folder.
    pub(crate) fn folder_mode(&self) -> Option<u16> {
        (self.mode & S_IFMT == S_IFDIR).then_some(self.mode & !S_IFMT)
    }

    /// Reports whether both are the same file.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.inode == other.inode && self.device == other.device
    }

    /// Reports whether a file system is mounted here; false if the kernel does not report it.
    pub(crate) fn is_mount_point(&self) -> bool {
        self.attributes & self.attributes_mask & STATX_ATTR_MOUNT_ROOT != 0
    }
}
