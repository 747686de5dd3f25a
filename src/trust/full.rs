//! A disk without room, which is no fault of a file or a folder.

use std::io;

/// Whether the disk or the quota is full: a retry may succeed when there is room again.
pub fn is_full(refused: &io::Error) -> bool {
    matches!(
        refused.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
