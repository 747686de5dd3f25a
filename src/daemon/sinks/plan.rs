//! Selects the sinks that are written. If several sinks write the same file, only the first one is. The configuration
//! can name a file in two ways, because a relative path starts at the token socket's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::warn;

use super::super::keep::handle::Handle;
use super::super::keep::roster::Profiles;
use crate::config::Sink;
use crate::profile::ProfileName;
use crate::wire::{SinkReply, SinkState};

/// A sink that is written.
pub(super) struct PlannedSink<'a> {
    pub(super) sink: &'a Sink,
    pub(super) handle: &'a Arc<Handle>,
    /// The sink's files. The first one holds the token.
    pub(super) files: Vec<PathBuf>,
}

/// Returns the sinks of all profiles, except those whose file another sink writes. The profiles show the latter as
/// refused.
pub(super) fn distinct<'a>(profiles: &'a Profiles, runtime: &Path) -> Vec<PlannedSink<'a>> {
    let mut taken: BTreeMap<PathBuf, &ProfileName> = BTreeMap::new();
    let mut distinct = vec![];
    for (name, entry) in profiles {
        let mut refused = vec![];
        for sink in entry.sinks.iter() {
            let files = sink.files(runtime);
            match files
                .iter()
                .find_map(|file| Some((file, *taken.get(file)?)))
            {
                Some((file, other)) => refused.push(refuse(sink, file, name, other)),
                None => {
                    taken.extend(files.iter().map(|file| (file.clone(), name)));
                    distinct.push(PlannedSink {
                        sink,
                        handle: &entry.handle,
                        files,
                    });
                }
            }
        }
        entry.handle.sinks().refuse(refused);
    }
    distinct
}

fn refuse(sink: &Sink, file: &Path, profile: &ProfileName, other: &ProfileName) -> SinkReply {
    let why = format!(
        "another sink, of the profile {other}, writes this file; give each sink a file of its own"
    );
    let path = file.display();
    warn!(%profile, %path, "the file is not written: {why}");
    SinkReply {
        state: SinkState::Failed,
        detail: Some(why),
        ..SinkReply::waiting(file, sink.format.as_str())
    }
}

// === impl Wanted ===

impl PlannedSink<'_> {
    /// Returns the file with the token.
    pub(super) fn path(&self) -> &Path {
        self.files.first().map_or(Path::new(""), PathBuf::as_path)
    }
}
