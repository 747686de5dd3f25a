//! Full disks, which are not a fault of a file or a folder.

use std::io;

/// Reports whether the disk or the quota is full. A retry may succeed when there is room again.
pub fn is_full(refused: &io::Error) -> bool {
    matches!(
        refused.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
