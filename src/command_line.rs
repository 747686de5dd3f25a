//! The `jetond` commands that messages suggest.
//!
//! They are for this process's daemon, so they need the options that name its configuration and state.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::profile::ProfileName;

/// The daemon that suggested commands refer to. A process works on one configuration, and learns which one before it
/// writes any message about it.
static TARGET: OnceLock<Target> = OnceLock::new();

/// The daemon of this process, in the form in which suggested commands refer to it.
#[derive(Debug)]
struct Target {
    /// The options of `jetond`, each with a space before it; empty for a user's default daemon.
    options: String,
    /// The command that makes the daemon read its configuration again.
    reload: &'static str,
}

/// The reload command of a user's default daemon, which fixed texts contain.
const RELOAD: &str = "jeton reload";

/// The commands as fixed texts spell them; a longer one stands before its prefix. `NAME` stands for the profile.
const COMMANDS: [&str; 5] = [
    "jetond add NAME --provider runai --url https://…",
    "jetond add NAME --rebind",
    "jetond add NAME",
    "jetond check",
    "jetond setup socket",
];

/// The option for the system's daemon.
pub(crate) const SYSTEM: &str = " --system";

/// Reports whether this process works on the system's daemon.
pub(crate) fn is_of_the_system() -> bool {
    TARGET.get().is_some_and(|target| target.options == SYSTEM)
}

/// Sets the options that name the configuration and the state of this process, and the command that makes the daemon
/// reload. Only the first call has an effect.
pub(crate) fn name_target(options: String, reload: &'static str) {
    // A second call would mean a second target, but a command has only one.
    let _: Result<(), Target> = TARGET.set(Target { options, reload });
}

/// Completes the commands in a text, so that a person can run them: fills in the profile's name, if it is known, and
/// the options for this process's target.
pub fn proposed<'a>(text: &'a str, profile: Option<&ProfileName>) -> Cow<'a, str> {
    fitted(text, profile, TARGET.get())
}

fn fitted<'a>(
    text: &'a str,
    profile: Option<&ProfileName>,
    target: Option<&Target>,
) -> Cow<'a, str> {
    let options = target.map_or("", |target| &target.options);
    let text = complete(text, profile, options);
    match target {
        Some(target) if target.reload != RELOAD && text.contains(RELOAD) => {
            Cow::Owned(text.replace(RELOAD, target.reload))
        }
        _ => text,
    }
}

fn complete<'a>(text: &'a str, profile: Option<&ProfileName>, options: &str) -> Cow<'a, str> {
    if options.is_empty() && profile.is_none() {
        return Cow::Borrowed(text);
    }
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("jetond ") {
        let (before, from) = rest.split_at(at);
        done.push_str(before);
        let command = COMMANDS
            .into_iter()
            .find(|command| from.starts_with(command));
        let taken = match command {
            Some(command) => {
                let name = profile.map_or("NAME", ProfileName::as_str);
                done.push_str(&command.replace("NAME", name));
                done.push_str(options);
                command.len()
            }
            None => {
                done.push_str("jetond ");
                "jetond ".len()
            }
        };
        rest = from.get(taken..).unwrap_or_default();
    }
    if done.is_empty() && rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    done.push_str(rest);
    Cow::Owned(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_daemon_has_its_own_reload_command() {
        let text = "run 'jetond check', mend it, and read it again ('jeton reload')";
        let target = |options: &str, reload| Target {
            options: options.to_owned(),
            reload,
        };
        for (target, says) in [
            (None, text),
            (Some(target("", RELOAD)), text),
            (
                Some(target(SYSTEM, "systemctl reload jetond")),
                "run 'jetond check --system', mend it, and read it again ('systemctl reload jetond')",
            ),
        ] {
            assert_eq!(fitted(text, None, target.as_ref()), says);
        }
    }

    #[test]
    fn a_command_gets_the_profiles_name_and_the_options_of_the_target() {
        let research = ProfileName::parse("research").unwrap();
        for (text, profile, options, says) in [
            (
                "run 'jetond add NAME --rebind'",
                None,
                "",
                "run 'jetond add NAME --rebind'",
            ),
            (
                "run 'jetond add NAME --rebind'",
                Some(&research),
                "",
                "run 'jetond add research --rebind'",
            ),
            (
                "run 'jetond add NAME --rebind'; see 'jetond check'",
                Some(&research),
                " --system",
                "run 'jetond add research --rebind --system'; see 'jetond check --system'",
            ),
            (
                "make one with: jetond add NAME",
                None,
                " --config /c",
                "make one with: jetond add NAME --config /c",
            ),
            (
                "jetond add NAME --provider runai --url https://…",
                None,
                " --system",
                "jetond add NAME --provider runai --url https://… --system",
            ),
            (
                "start it with: jetond run",
                None,
                " --system",
                "start it with: jetond run",
            ),
            ("no command", Some(&research), " --system", "no command"),
            ("", Some(&research), " --system", ""),
        ] {
            assert_eq!(complete(text, profile, options), says);
        }
    }
}
