//! Options before the command: each counts as if it stood after it, or is refused. Ignoring one silently would make a
//! command work on another configuration than the named one.

use std::path::PathBuf;

use super::run::RunArgs;
use super::target::TargetArgs;

/// The commands that take the options of a configuration.
const OF_CONFIGURATION: &str = "run, add, remove, check, doctor, setup and app";

/// The options that stood before the command. Those that the command accepts are taken out.
#[derive(Debug)]
pub(super) struct LeadingOptions(RunArgs);

// === impl Before ===

impl LeadingOptions {
    pub(super) const fn new(options: RunArgs) -> Self {
        Self(options)
    }

    /// Gives a command the options that name a configuration and a state.
    ///
    /// # Errors
    /// A sentence for people, if an option is given twice or conflicts with another.
    pub(super) fn target(&mut self, after: &mut TargetArgs) -> Result<(), String> {
        let before = std::mem::take(&mut self.0.target);
        join("--config", before.config, &mut after.config)?;
        join("--state", before.state, &mut after.state)?;
        if before.system && after.system {
            return Err(twice("--system"));
        }
        after.system |= before.system;
        match (after.system, &after.config, &after.state) {
            (true, Some(_), _) => Err(excluded("--system", "--config")),
            (true, _, Some(_)) => Err(excluded("--system", "--state")),
            _ => Ok(()),
        }
    }

    /// Gives a command the token socket.
    ///
    /// # Errors
    /// As [`Self::target`].
    pub(super) fn socket(&mut self, after: &mut Option<PathBuf>) -> Result<(), String> {
        join("--socket", self.0.socket.take(), after)
    }

    /// Gives `run` all options. If it runs a command beside it, the daemon has its own sockets.
    ///
    /// # Errors
    /// As [`Self::target`].
    pub(super) fn run(&mut self, after: &mut RunArgs, beside: bool) -> Result<(), String> {
        self.target(&mut after.target)?;
        self.socket(&mut after.socket)?;
        let before = &mut self.0;
        let (admin, format) = (before.admin_socket.take(), before.log_format.take());
        join("--admin-socket", admin, &mut after.admin_socket)?;
        join("--log-format", format, &mut after.log_format)?;
        after.stop_at_eof |= std::mem::take(&mut before.stop_at_eof);
        match (beside, &after.socket, &after.admin_socket) {
            (true, Some(_), _) => Err(excluded("--socket", "a CMD")),
            (true, _, Some(_)) => Err(excluded("--admin-socket", "a CMD")),
            _ => Ok(()),
        }
    }

    /// Refuses the options that the command has not taken.
    ///
    /// # Errors
    /// A sentence for people.
    pub(super) fn end(self, command: &str) -> Result<(), String> {
        let Self(left) = self;
        let target = &left.target;
        let left = [
            ("--config", OF_CONFIGURATION, target.config.is_some()),
            ("--state", OF_CONFIGURATION, target.state.is_some()),
            ("--system", OF_CONFIGURATION, target.system),
            ("--socket", "run and doctor", left.socket.is_some()),
            ("--admin-socket", "run", left.admin_socket.is_some()),
            ("--log-format", "run", left.log_format.is_some()),
            ("--stop-at-eof", "run", left.stop_at_eof),
        ];
        match left.into_iter().find(|(_, _, given)| *given) {
            None => Ok(()),
            Some((option, commands, _)) => Err(format!(
                "'{option}' is an option of {commands}, and '{command}' does not take it"
            )),
        }
    }
}

fn join<T>(option: &str, before: Option<T>, after: &mut Option<T>) -> Result<(), String> {
    match (before, &after) {
        (Some(_), Some(_)) => Err(twice(option)),
        (None, _) => Ok(()),
        (before, None) => {
            *after = before;
            Ok(())
        }
    }
}

fn twice(option: &str) -> String {
    format!("'{option}' is given twice, before the command and after it")
}

fn excluded(one: &str, other: &str) -> String {
    format!("'{one}' cannot be used with '{other}'")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Parser as _;

    use super::super::{Command, CommandLine};

    fn joined(line: &str) -> Result<CommandLine, String> {
        let args: Vec<OsString> = line.split(' ').map(Into::into).collect();
        let mut line = CommandLine::try_parse_from(args).map_err(|error| error.to_string())?;
        line.join_options().map(|()| line)
    }

    #[test]
    fn an_option_has_the_same_effect_before_and_after_the_command() {
        for (before, after) in [
            ("--config c remove a", "remove a --config c"),
            ("--state s check", "check --state s"),
            ("--config c check --state s", "check --config c --state s"),
            ("--system doctor", "doctor --system"),
            ("--system setup socket", "setup socket --system"),
            ("--socket s doctor --json", "doctor --json --socket s"),
            (
                "--config c --log-format json run",
                "run --config c --log-format json",
            ),
            (
                "--socket s run --admin-socket a",
                "run --socket s --admin-socket a",
            ),
            ("--config c run -- cmd", "run --config c -- cmd"),
            (
                "--state s add a --provider runai --url https://x",
                "add a --provider runai --url https://x --state s",
            ),
        ] {
            let shown = |line: &str| format!("{:?}", joined(&format!("jetond {line}")).unwrap());
            assert_eq!(shown(before), shown(after), "{before}");
        }
        let alone = joined("jetond --config c").unwrap();
        assert!(alone.command.is_none() && alone.run.target.config.is_some());
    }

    #[test]
    fn an_option_that_the_command_does_not_take_or_has_already_is_refused() {
        for (line, says) in [
            ("--socket s remove a", "an option of run and doctor"),
            ("--socket s check", "'check' does not take it"),
            ("--socket s setup socket", "'setup' does not take it"),
            ("--admin-socket s doctor", "an option of run, "),
            ("--log-format json check", "an option of run, "),
            ("--config c demo", "'demo' does not take it"),
            ("--state s sandbox", "'sandbox' does not take it"),
            ("--system sandbox", "'sandbox' does not take it"),
            (
                "--config c remove a --config c",
                "'--config' is given twice",
            ),
            ("--state s check --state t", "'--state' is given twice"),
            ("--system check --system", "'--system' is given twice"),
            ("--socket s doctor --socket t", "'--socket' is given twice"),
            (
                "--log-format json run --log-format text",
                "'--log-format' is given twice",
            ),
            (
                "--system remove a --config c",
                "'--system' cannot be used with '--config'",
            ),
            (
                "--state s remove a --system",
                "'--system' cannot be used with '--state'",
            ),
            (
                "--socket s run -- cmd",
                "'--socket' cannot be used with 'a CMD'",
            ),
            (
                "--admin-socket s run -- cmd",
                "'--admin-socket' cannot be used with 'a CMD'",
            ),
        ] {
            let refused = joined(&format!("jetond {line}")).unwrap_err();
            assert!(refused.contains(says), "{line}: {refused}");
        }
    }

    #[test]
    fn the_command_is_not_mistaken_for_an_option() {
        let line = joined("jetond --config remove remove a").unwrap();
        let Some(Command::Remove(args)) = line.command else {
            panic!("{line:?}")
        };
        assert_eq!(args.target.config, Some("remove".into()));
    }
}
