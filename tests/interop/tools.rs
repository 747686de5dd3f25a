//! Locations of the clients and servers that the tests run: on the PATH, or where `.ci/tools` installs them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Something that this machine does not have, and how to install it.
#[derive(Debug)]
pub(crate) struct MissingProgram(pub(crate) String);

/// A test. Returns [`MissingProgram`] if it was skipped because this machine lacks something.
pub(crate) type Test = fn() -> Result<(), MissingProgram>;

/// Returns the folder in which `.ci/tools` links what it has installed.
fn installed() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Returns a Python with the packages of `requirements.txt`.
pub(crate) fn python() -> Result<PathBuf, MissingProgram> {
    present(
        installed().join("python/bin/python"),
        "the Python packages of tests/interop are not installed: run .ci/tools",
    )
}

/// Returns a program from one of the packages of `requirements.txt`: `pip`, `uv`, `twine`, `mypy`.
pub(crate) fn python_program(name: &str) -> Result<PathBuf, MissingProgram> {
    present(
        installed().join("python/bin").join(name),
        "the Python packages of tests/interop are not installed: run .ci/tools",
    )
}

/// Returns the folder of a package of `runapy-older.txt`, for `PYTHONPATH`.
pub(crate) fn older_package(package: &str) -> Result<PathBuf, MissingProgram> {
    present(
        installed().join("older").join(package),
        "the older clients of tests/interop are not installed: run .ci/tools",
    )
}

/// Returns the folder of the packages of `file-readers.txt`, for `PYTHONPATH`.
pub(crate) fn file_readers() -> Result<PathBuf, MissingProgram> {
    present(
        installed().join("file-readers"),
        "the readers of token files are not installed: run .ci/tools",
    )
}

/// Returns the `kubectl` version that `.ci/tools` pins.
pub(crate) fn kubectl() -> Result<PathBuf, MissingProgram> {
    present(
        installed().join("kubectl/kubectl"),
        "kubectl is not installed: run .ci/tools",
    )
}

/// Returns a coding agent. Only `.ci/tools agents` installs it.
pub(crate) fn agent(name: &str) -> Result<PathBuf, MissingProgram> {
    present(
        installed().join("agents/node_modules/.bin").join(name),
        "the coding agents are not installed: run .ci/tools agents",
    )
}

/// Returns a git earlier than 2.46, which ignores `authtype` in a credential helper's answer.
pub(crate) fn git_without_authtype() -> Result<PathBuf, MissingProgram> {
    git("below 2.46", |minor| minor < 46)
}

/// Returns a git from 2.46 on, which sends a credential helper's `authtype`.
pub(crate) fn git_with_authtype() -> Result<PathBuf, MissingProgram> {
    git("of at least 2.46", |minor| minor >= 46)
}

/// Returns a git 2 whose minor version suits, from the PATH or from `.ci/tools`.
fn git(wanted: &str, suits: fn(u32) -> bool) -> Result<PathBuf, MissingProgram> {
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
        .ok_or_else(|| MissingProgram(format!("there is no git {wanted}: run .ci/tools")))
}

/// Returns the script of the certified issuer, beside the packages that it needs.
pub(crate) fn oidc_provider() -> Result<PathBuf, MissingProgram> {
    present(
        installed().join("oidc-provider/server.mjs"),
        "the npm package oidc-provider is not installed: run .ci/tools",
    )
}

/// Returns the script of the issuer made with a framework for Node, beside the packages that it needs.
pub(crate) fn node_oauth2_server() -> Result<PathBuf, MissingProgram> {
    present(
        installed().join("node-oauth2-server/server.mjs"),
        "the npm package @node-oauth/oauth2-server is not installed: run .ci/tools",
    )
}

/// Returns a program on the PATH that `.ci/run` installs.
pub(crate) fn program(name: &str) -> Result<PathBuf, MissingProgram> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).map(|folder| folder.join(name));
    let missing = || {
        MissingProgram(format!(
            "there is no {name}: install the package of that name"
        ))
    };
    places
        .into_iter()
        .find(|place| place.is_file())
        .ok_or_else(missing)
}

fn present(path: PathBuf, otherwise: &str) -> Result<PathBuf, MissingProgram> {
    // The link is created only after a complete installation.
    if path.exists() {
        Ok(path)
    } else {
        Err(MissingProgram(otherwise.to_owned()))
    }
}
