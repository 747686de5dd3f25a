//! Notices when paths lead to other files and when files are changed, by inotify(7).
//!
//! # Map
//! | File | What it does | Names |
//! |---|---|---|
//! | [`path_watch`] | wakes its caller when one of a few paths may lead to a different file | local walk |
//! | [`folder_watch`] | reports which of many files may have changed, however they are written or replaced | local walk watched |
//! | `watched` | the watches of a path, and their events | |
//! | `walk` | the parts of a path in the order in which the kernel resolves them | |
//! | `local` | whether the kernel notices every change in a folder | |

pub(crate) mod folder_watch;
#[cfg(target_os = "linux")]
mod local;
pub(crate) mod path_watch;
#[cfg(target_os = "linux")]
mod walk;
mod watched;
