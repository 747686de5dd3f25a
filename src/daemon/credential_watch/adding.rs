//! Adds files to the watch.

use std::io;
use std::path::PathBuf;

use crate::offload;
use crate::path_events::folder_watch::{NotWatched, PathWatches, WatchAdder};

/// A file with its watch, or the reason why it has none.
pub(super) type Added = (PathBuf, Result<PathWatches, NotWatched>);

/// Adds paths to the watch on a thread, because their file system may hang.
pub(super) async fn add(adder: WatchAdder, paths: Vec<PathBuf>) -> Vec<Added> {
    let names = paths.clone();
    let add = move || {
        let added = names.into_iter().map(|path| {
            let watched = adder.add(&path);
            (path, watched)
        });
        added.collect()
    };
    offload::run_in_turn(add).await.unwrap_or_else(|refused| {
        let why = refused.to_string();
        let refuse = |path| {
            let error = io::Error::other(why.clone());
            (path, Err(NotWatched::Refused(error)))
        };
        paths.into_iter().map(refuse).collect()
    })
}
