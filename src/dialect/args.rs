//! Reads a verb's arguments: options with or without a value, and at most one profile.

use std::fmt;
use std::time::Duration;

use crate::profile::ProfileName;
use crate::wire;
use crate::wire::frame::Invocation;

/// Why arguments make no sense. It repeats none of them: they may hold a secret that was pasted in the wrong place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Usage {
    what: &'static str,
    usage: &'static str,
}

/// What a verb takes.
pub(super) struct Grammar {
    /// The line that says how it is used.
    pub(super) usage: &'static str,
    /// Its options that have a value.
    pub(super) values: &'static [&'static str],
    /// Its options that have none.
    pub(super) flags: &'static [&'static str],
    /// Whether it takes a profile.
    pub(super) profile: bool,
}

/// A verb's arguments.
pub(super) struct Args<'a> {
    grammar: &'a Grammar,
    profile: Option<ProfileName>,
    values: Vec<(&'static str, &'a str)>,
    flags: Vec<&'static str>,
}

// === impl Grammar ===

impl Grammar {
    /// Reads the arguments after the verb; the profile may come from `JETON_PROFILE`.
    pub(super) fn read<'a>(&'a self, run: &'a Invocation) -> Result<Args<'a>, Usage> {
        let mut args = Args {
            grammar: self,
            profile: None,
            values: vec![],
            flags: vec![],
        };
        let mut words = run.args.iter().skip(2).map(String::as_str);
        while let Some(word) = words.next() {
            let (name, glued) = match word.split_once('=') {
                Some((name, value)) if word.starts_with("--") => (name, Some(value)),
                _ => (word, None),
            };
            if let Some(known) = self.values.iter().find(|option| **option == name) {
                let value = glued
                    .or_else(|| words.next())
                    .ok_or(self.wrong("an option lacks its value"))?;
                args.values.push((known, value));
            } else if let Some(known) = self.flags.iter().find(|flag| **flag == word) {
                args.flags.push(known);
            } else if word.starts_with('-') {
                return Err(self.wrong("there is no such option"));
            } else if !self.profile || args.profile.is_some() {
                return Err(self.wrong("there are too many arguments"));
            } else {
                args.profile = Some(self.profile(word)?);
            }
        }
        let from_env = run.env.get("JETON_PROFILE").filter(|name| !name.is_empty());
        if let (true, None, Some(name)) = (self.profile, &args.profile, from_env) {
            args.profile = Some(self.profile(name)?);
        }
        Ok(args)
    }

    /// A complaint with the line that says how it is used.
    pub(super) const fn wrong(&self, what: &'static str) -> Usage {
        Usage {
            what,
            usage: self.usage,
        }
    }

    fn profile(&self, name: &str) -> Result<ProfileName, Usage> {
        ProfileName::parse(name).map_err(|_| {
            self.wrong(
                "a profile's name has 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit",
            )
        })
    }
}

// === impl Args ===

impl Args<'_> {
    /// The profile.
    pub(super) fn profile(&self) -> Option<ProfileName> {
        self.profile.clone()
    }

    /// Whether a flag is given.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.flags.contains(&name)
    }

    /// The last value of an option.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values
            .iter()
            .rev()
            .find(|(option, _)| *option == name)
            .map(|(_, value)| *value)
    }

    /// The last value of an option, in seconds up to `max`.
    pub(super) fn seconds(&self, name: &str, max: Duration) -> Result<Option<Duration>, Usage> {
        self.value(name)
            .map(|text| {
                wire::seconds(text, max).ok_or(
                    self.grammar
                        .wrong("an option takes seconds, such as 30 or 0.5, in its range"),
                )
            })
            .transpose()
    }
}

// === impl Usage ===

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; usage: {}", self.what, self.usage)
    }
}
