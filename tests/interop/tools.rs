//! Where the clients and servers are that the tests run: on the PATH, or where `.ci/tools` puts them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What this machine does not have, and how to get it.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

/// A test: done, or left out because of something that this machine does not have.
pub(crate) type Test = fn() -> Result<(), Missing>;

/// The folder in which `.ci/tools` links what it has installed.
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

/// A program that one of the packages of `requirements.txt` brings: `pip`, `uv`, `twine`, `mypy`.
pub(crate) fn python_program(name: &str) -> Result<PathBuf, Missing> {
    present(
        installed().join("python/bin").join(name),
        "the Python packages of tests/interop are not installed: run .ci/tools",
    )
}

/// The folder of one of the packages of `runapy-older.txt`, for `PYTHONPATH`.
pub(crate) fn older_package(package: &str) -> Result<PathBuf, Missing> {
    present(
        installed().join("older").join(package),
        "the older clients of tests/interop are not installed: run .ci/tools",
    )
}

/// The folder of the packages of `file-readers.txt`, for `PYTHONPATH`.
pub(crate) fn file_readers() -> Result<PathBuf, Missing> {
    present(
        installed().join("file-readers"),
        "the readers of token files are not installed: run .ci/tools",
    )
}

/// The `kubectl` of one version that `.ci/tools` pins.
pub(crate) fn kubectl() -> Result<PathBuf, Missing> {
    present(
        installed().join("kubectl/kubectl"),
        "kubectl is not installed: run .ci/tools",
    )
}

/// A coding agent, which only `.ci/tools agents` installs.
pub(crate) fn agent(name: &str) -> Result<PathBuf, Missing> {
    present(
        installed().join("agents/node_modules/.bin").join(name),
        "the coding agents are not installed: run .ci/tools agents",
    )
}

/// A git that knows no `authtype` in the answer of a credential helper: below 2.46.
pub(crate) fn git_without_authtype() -> Result<PathBuf, Missing> {
    git("below 2.46", |minor| minor < 46)
}

/// A git that can send what a credential helper gives as `authtype`: 2.46 or newer.
pub(crate) fn git_with_authtype() -> Result<PathBuf, Missing> {
    git("of at least 2.46", |minor| minor >= 46)
}

/// A git 2 with such a minor number, on the PATH or from `.ci/tools`.
fn git(wanted: &str, suits: fn(u32) -> bool) -> Result<PathBuf, Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let minor = |git: &PathBuf| {
        let output = Command::new(git).arg("--version").output().ok()?;
        let version = String::from_utf8(output.stdout).ok()?;
        let minor = version.strip_prefix("git version 2.")?.split('.').next()?;
        minor.trim().parse().ok()
    };
    std::env::split_paths(&path)
        .chain(["git-2.39", "git-2.47"].map(|name| installed().join(name)))
        .map(|folder| folder.join("git"))
        .find(|git| minor(git).is_some_and(suits))
        .ok_or_else(|| Missing(format!("there is no git {wanted}: run .ci/tools")))
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
    // It is linked once it is whole.
    if path.exists() {
        Ok(path)
    } else {
        Err(Missing(otherwise.to_owned()))
    }
}
