//! Where the clients and servers are that the tests run: on the PATH, or where `.ci/tools` puts them.

use std::path::{Path, PathBuf};

/// What this machine does not have, and how to get it.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

/// A test: done, or left out because of something that this machine does not have.
pub(crate) type Test = fn() -> Result<(), Missing>;

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

/// The folder of one of the packages of `runapy-older.txt`, for `PYTHONPATH`.
pub(crate) fn older_package(package: &str) -> Result<PathBuf, Missing> {
    present(
        installed().join(package),
        "the older clients of tests/interop are not installed: run .ci/tools",
    )
}

/// The script of the certified issuer, beside the packages that it needs.
pub(crate) fn oidc_provider() -> Result<PathBuf, Missing> {
    present(
        installed().join("oidc-provider/server.mjs"),
        "the npm package oidc-provider is not installed: run .ci/tools",
    )
}

/// The script of the issuer that is made of a framework for Node, beside the packages that it needs.
pub(crate) fn node_oauth2_server() -> Result<PathBuf, Missing> {
    present(
        installed().join("node-oauth2-server/server.mjs"),
        "the npm package @node-oauth/oauth2-server is not installed: run .ci/tools",
    )
}

/// A program on the PATH that `.ci/run` installs.
pub(crate) fn program(name: &str) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).map(|folder| folder.join(name));
    let missing = || {
        Missing(format!(
            "there is no {name}: install the package of that name"
        ))
    };
    places
        .into_iter()
        .find(|place| place.is_file())
        .ok_or_else(missing)
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
