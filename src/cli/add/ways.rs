//! The ways to use a new profile, printed after `jetond add`.

use super::super::output::print_line;
use super::super::target::Target;
use crate::profile::ProfileName;

/// Prints three ways to use a profile.
pub(super) fn say_them(name: &ProfileName, target: &Target) {
    let lines = [
        format!("jeton token {name}"),
        format!("jeton exec --env TOKEN {name} -- COMMAND"),
        target.line("setup"),
    ];
    let what = [
        "prints a token",
        "starts a command with a token in the variable TOKEN",
        "lists the tools that can get their tokens here: git, docker, kubectl, pip and others",
    ];
    let width = lines.iter().map(String::len).max().unwrap_or_default();
    print_line("three ways to use it:");
    for (line, what) in lines.iter().zip(what) {
        print_line(format!("  {line:width$}   {what}"));
    }
}
