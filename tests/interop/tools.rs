//! Where the clients and servers are that the tests run: on the PATH, or where `.ci/tools` puts them.

use std::path::{Path, PathBuf};

/// What this machine does not have, and how to get it.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

/// The folder that `.ci/tools` fills.
fn installed() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A Python in which the packages of `requirements.txt` are.
pub(crate) fn python() -> Result<PathBuf, Missing> {
    present(
        installed().join("python/bin/python"),
        "the Python packages of tests/interop are not installed: run .ci/tools",
    )
}

fn present(path: PathBuf, otherwise: &str) -> Result<PathBuf, Missing> {
    // Its stamp is written last: half an installation is none.
    let whole = path.exists() && installed().join("tools.done").exists();
    if whole {
        Ok(path)
    } else {
        Err(Missing(otherwise.to_owned()))
    }
}
