//! Command lines to propose. Each names the current target, since without its options it would change another one.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::super::output::print_note;
use super::Target;
use crate::command_line;
use crate::paths::SYSTEM_CONFIG;
use crate::process::logging;
use crate::profile::ProfileName;
use crate::settings;

impl Target {
    /// The command line of `jetond` that runs this command on this target.
    pub(in super::super) fn line(&self, command: &str) -> String {
        if self.system && self.has_systemd && command == "run" {
            // The system's daemon runs under the service manager.
            return "systemctl start jetond".to_owned();
        }
        format!("jetond {command}{}", self.options())
    }

    /// The command line that makes this target's daemon reload its configuration.
    pub(in super::super) fn line_of_reload(&self) -> &'static str {
        match (self.system, self.has_systemd) {
            (false, _) => "jeton reload",
            (true, true) => "systemctl reload jetond",
            (true, false) => "jeton reload --admin-socket /run/jeton-admin/admin.sock",
        }
    }

    /// A note that the system's configuration has a profile of this name, with the line that runs this command on it;
    /// empty if this is the system's.
    pub(in super::super) fn hint_of_system(&self, name: &ProfileName, command: &str) -> String {
        let is_there = || {
            let found = settings::read(Path::new(SYSTEM_CONFIG), self.uid).ok()?;
            found.config.profiles.get(name).map(drop)
        };
        if self.system || self.config == Path::new(SYSTEM_CONFIG) || is_there().is_none() {
            return String::new();
        }
        let by = if self.uid == 0 { "" } else { "as root, " };
        format!("; {SYSTEM_CONFIG} has one; for that, {by}run: jetond {command} --system")
    }

    /// A note that the system's daemon has another store than this target, if this is its configuration, with the line
    /// that runs this command on it.
    pub(in super::super) fn note_of_the_systems(&self, command: &str) -> String {
        if self.system || self.config != Path::new(SYSTEM_CONFIG) {
            return String::new();
        }
        format!("; the system's daemon has a store of its own, for root: jetond {command} --system")
    }

    /// Prints where a new profile will be, if root adds it without naming the system's configuration.
    pub(in super::super) fn note_beside_the_systems(&self) {
        let is_beside = self.uid == 0 && !self.system;
        if is_beside && Path::new(SYSTEM_CONFIG).symlink_metadata().is_ok() {
            print_note(format!(
                "the profile will live in {}, for a daemon of root's own; the system's daemon has {SYSTEM_CONFIG}: for that one, add --system",
                self.config.display()
            ));
        }
    }

    /// The command line that finishes a removal of the profile that began for this configuration, in this target's
    /// state.
    pub(in super::super) fn line_of_removal(&self, name: &ProfileName, config: &Path) -> String {
        self.line_for(&format!("remove {name} --yes"), config)
    }

    /// The command line of `jetond` that runs this command on this configuration and on this target's state.
    pub(in super::super) fn line_for(&self, command: &str, config: &Path) -> String {
        if config == settings::real_path(&self.config) {
            return self.line(command);
        }
        let state = match self.state_named {
            true => option("--state", &self.state),
            false => String::new(),
        };
        format!("jetond {command}{}{state}", option("--config", config))
    }

    /// The options that name this target, each with a space before it.
    pub(super) fn options(&self) -> String {
        if self.system {
            return command_line::SYSTEM.to_owned();
        }
        let mut options = String::new();
        // A user without a configuration reads the system's, but changes it only if it is named.
        if self.config_named || self.config == Path::new(SYSTEM_CONFIG) {
            options.push_str(&option("--config", &self.config));
        }
        if self.state_named {
            options.push_str(&option("--state", &self.state));
        }
        options
    }
}

/// An option with a path, after a space.
pub(in super::super) fn option(name: &str, path: &Path) -> String {
    format!(" {name} {}", quoted(path))
}

/// A text as one word of a shell.
pub(in super::super) fn word(text: &str) -> String {
    quoted(Path::new(text))
}

/// A path as one word of a shell. Characters that a terminal does not show are written as escapes, which bash, zsh and
/// POSIX.1-2024 know.
pub(in super::super) fn quoted(path: &Path) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    let Some(text) = path
        .to_str()
        .filter(|text| logging::printable(text) == *text)
    else {
        let bytes = path.as_os_str().as_bytes();
        let escaped: String = bytes.iter().map(|b| of_byte(*b)).collect();
        return format!("$'{escaped}'");
    };
    let text = text.to_owned();
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The escape of a byte between `$'` and `'`.
fn of_byte(b: u8) -> String {
    match b {
        b'\'' | b'\\' => format!("\\{}", char::from(b)),
        b' '..=b'~' => char::from(b).to_string(),
        _ => format!("\\{b:03o}"),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::cli::target::{Target, TargetArgs};
    use crate::paths::Env;

    #[test]
    fn unprintable_characters_of_a_path_are_escaped() {
        for (path, word) in [
            (&b"/a b"[..], "'/a b'"),
            (b"/a\n'b\\", r"$'/a\012\'b\\'"),
            (b"/\x1b]0;x\x07", r"$'/\033]0;x\007'"),
            (b"/\xff\xe2\x80\xae", r"$'/\377\342\200\256'"),
        ] {
            let path = Path::new(OsStr::from_bytes(path));
            assert_eq!(quoted(path), word);
        }
    }

    #[test]
    fn a_command_line_has_the_options_of_its_target_in_shell_quotes() {
        let env = |vars: &[(&str, &str)]| {
            let vars = vars.iter().map(|(name, value)| (name.into(), value.into()));
            Env::from_vars(vars.chain([("HOME".into(), "/h".into())]), 1_000)
        };
        let args = |config: Option<&str>, state: Option<&str>, system| TargetArgs {
            config: config.map(Into::into),
            state: state.map(Into::into),
            system,
        };
        let usual = env(&[]);
        for (args, env, line) in [
            (args(None, None, false), &usual, "jetond run"),
            (
                args(Some("c.toml"), Some("/s"), false),
                &usual,
                "jetond run --config c.toml --state /s",
            ),
            (
                args(Some("/it's $(x)"), None, false),
                &usual,
                "jetond run --config '/it'\\''s $(x)'",
            ),
            (
                args(None, None, false),
                &env(&[("JETON_CONFIG", "/c")]),
                "jetond run --config /c",
            ),
        ] {
            let target = args.find_own(env).unwrap();
            assert_eq!(target.line("run"), line);
        }
        let system = args(None, None, true).find_own(&usual).unwrap();
        assert_eq!(system.line("remove a"), "jetond remove a --system");
        for (has_systemd, run, reload) in [
            (true, "systemctl start jetond", "systemctl reload jetond"),
            (
                false,
                "jetond run --system",
                "jeton reload --admin-socket /run/jeton-admin/admin.sock",
            ),
        ] {
            let target = Target {
                has_systemd,
                ..system.clone()
            };
            assert_eq!(
                (&*target.line("run"), target.line_of_reload()),
                (run, reload)
            );
        }
    }
}
