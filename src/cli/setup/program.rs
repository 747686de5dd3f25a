//! The tools' own programs. They are found as a shell finds them, and started by their absolute path without a shell.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::super::search::all_in;
use super::recipe::Refusal;
use crate::paths::Env;
use crate::process::program::SERVICE_VARIABLES;
use crate::trust;

/// A program that may be started.
#[derive(Debug)]
pub(super) struct Program {
    name: &'static str,
    path: PathBuf,
}

/// The output of a program, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Printed {
    /// The exit code; 128 plus the signal's number if a signal ended it.
    pub(super) code: i32,
    /// Standard output.
    pub(super) stdout: String,
    /// The first line of standard error, for a message.
    pub(super) first_error: String,
}

/// Finds the program of this name that the user's shell would start.
///
/// # Errors
/// A [`Refusal`] if there is none, or if users other than root and this one could change it or a folder above it: this
/// process would run what they wrote.
pub(super) fn find(name: &'static str, env: &Env) -> Result<Program, Refusal> {
    let Some(path) = all_in(name, env.path.as_deref()).next() else {
        return Err(Refusal::config(&format!(
            "there is no {name} on PATH; without --apply or --undo the lines are printed for you to run"
        )));
    };
    match trust::resolve(&path, env.uid) {
        // The program is started by the path that was found, even if it is a link: it may depend on its name, as
        // pyenv's programs do.
        Ok(_) => Ok(Program { name, path }),
        Err(untrusted) => Err(Refusal::config(&format!(
            "{name} is not started, since others could change it: {untrusted}; without --apply or --undo the lines are printed for you to run"
        ))),
    }
}

// === impl Program ===

impl Program {
    /// Runs it with these arguments, without standard input, and returns its output.
    ///
    /// # Errors
    /// A [`Refusal`] if it cannot be started.
    pub(super) fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<Printed, Refusal> {
        let mut command = Command::new(&self.path);
        command.args(args).stdin(Stdio::null());
        for name in SERVICE_VARIABLES {
            command.env_remove(name);
        }
        let output = command.output().map_err(|error| {
            let path = self.path.display();
            Refusal::config(&format!("{path} cannot be started: {error}"))
        })?;
        let code = output.status.code();
        let stderr = String::from_utf8_lossy(&output.stderr);
        Ok(Printed {
            code: code.unwrap_or_else(|| {
                use std::os::unix::process::ExitStatusExt as _;
                128 + output.status.signal().unwrap_or(0)
            }),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            first_error: stderr.lines().next().unwrap_or_default().to_owned(),
        })
    }

    /// Runs it, and fails for any exit code but 0.
    ///
    /// # Errors
    /// A [`Refusal`] with the first line of its standard error.
    pub(super) fn must<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<String, Refusal> {
        let printed = self.run(args)?;
        if printed.code == 0 {
            return Ok(printed.stdout);
        }
        let (name, code) = (self.name, printed.code);
        let words: Vec<_> = args
            .iter()
            .map(|arg| arg.as_ref().to_string_lossy())
            .collect();
        let words = words.join(" ");
        let why = match printed.first_error.as_str() {
            "" => String::new(),
            line => format!(": {line}"),
        };
        Err(Refusal::config(&format!(
            "'{name} {words}' failed with exit code {code}{why}"
        )))
    }
}
