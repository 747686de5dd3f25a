//! Notices where paths lead to other files, and where files are changed, by inotify(7).
//!
//! # Map
//! | File | What it does | Names |
//! |---|---|---|
//! | [`path_watch`] | wakes its caller when one of a few paths may lead to another file | local walk |
//! | [`folder_watch`] | tells which of many files may have another content, whoever writes or replaces them | local walk watched |
//! | `watched` | what is watched for a path, and what happens there | |
//! | `walk` | the parts of a path, as the kernel resolves it | |
//! | `local` | whether the kernel learns of every change in a folder | |

pub(crate) mod folder_watch;
#[cfg(target_os = "linux")]
mod local;
pub(crate) mod path_watch;
#[cfg(target_os = "linux")]
mod walk;
mod watched;
