//! Parses a verb's arguments: options with or without a value, and at most one profile.

use std::fmt;
use std::time::Duration;

use super::call::Call;
use crate::profile::ProfileName;
use crate::spelling;
use crate::wire;

/// The longest word for which a similar one is suggested. A longer word may be a misplaced secret, and a suggestion
/// would reveal what it resembles.
const LONGEST_WORD: usize = 12;

/// The grammar of a verb's arguments, and its help.
pub(super) struct Grammar {
    /// The verb.
    pub(super) verb: &'static str,
    /// The arguments: operands, then options.
    pub(super) usage: &'static str,
    /// The verb's lines in `jeton help`.
    pub(super) does: &'static str,
    /// Its options.
    pub(super) options: &'static [&'static Opt],
    /// Whether it takes a profile.
    pub(super) profile: Profile,
}

/// The source of a verb's profile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    /// The verb takes no profile.
    None,
    /// From an argument. Without one, the verb applies to all profiles.
    Argument,
    /// From an argument, or else from `JETON_PROFILE`.
    ArgumentOrVariable,
}

/// An option.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opt {
    /// Its name, with the dashes.
    pub(super) name: &'static str,
    /// The value that it takes.
    pub(super) takes: OptionArgument,
    /// Its line in the verb's own help.
    pub(super) help: &'static str,
}

/// The value of an option.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OptionArgument {
    /// No value.
    Nothing,
    /// A number of seconds up to this maximum.
    Seconds(Duration),
    /// Any other word.
    Word {
        /// Its placeholder in the usage.
        name: &'static str,
        /// The values that it accepts.
        what: &'static str,
    },
}

/// A verb's arguments.
pub(super) struct Args<'a> {
    grammar: &'static Grammar,
    profile: Option<ProfileName>,
    given: Vec<(&'static Opt, &'a str)>,
}

/// A usage error, with its verb. It quotes no argument, since an argument may be a misplaced secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Usage {
    misuse: Misuse,
    verb: &'static str,
    usage: &'static str,
}

/// The reason of a usage error.
#[derive(Debug, PartialEq, Eq)]
enum Misuse {
    UnknownOption { nearest: Option<&'static str> },
    NoValue(&'static Opt),
    WrongValue(&'static Opt),
    NeedlessValue(&'static Opt),
    TooMany,
    ProfileName,
    ProfileVariable,
    Other(&'static str),
}

// === impl Grammar ===

impl Grammar {
    /// Parses the words of a call. After `--`, words that start with a dash are not options.
    pub(super) fn read<'a>(&'static self, call: &Call<'a>) -> Result<Args<'a>, Usage> {
        Ok(self.read_after(call, |_| 0)?.1)
    }

    /// Parses the words of a call whose first operands belong to the verb itself. `count` returns their number for the
    /// first of them.
    pub(super) fn read_after<'a>(
        &'static self,
        call: &Call<'a>,
        count: fn(first: &str) -> usize,
    ) -> Result<(Vec<&'a str>, Args<'a>), Usage> {
        let mut operands: Vec<&'a str> = vec![];
        let mut args = Args {
            grammar: self,
            profile: None,
            given: vec![],
        };
        let mut words = call.words.iter().map(String::as_str);
        let mut options = true;
        while let Some(word) = words.next() {
            if options && word == "--" {
                options = false;
            } else if options && word.starts_with('-') {
                args.given.push(self.option(word, &mut words)?);
            } else if operands.len() < count(operands.first().copied().unwrap_or(word)) {
                operands.push(word);
            } else if self.profile == Profile::None || args.profile.is_some() {
                return Err(self.misused(Misuse::TooMany));
            } else {
                let name = ProfileName::parse(word);
                args.profile = Some(name.map_err(|_| self.misused(Misuse::ProfileName))?);
            }
        }
        let variable = call.run.env.get("JETON_PROFILE");
        let variable = variable.filter(|name| !name.is_empty());
        if let (Profile::ArgumentOrVariable, None, Some(name)) =
            (self.profile, &args.profile, variable)
        {
            let name = ProfileName::parse(name);
            args.profile = Some(name.map_err(|_| self.misused(Misuse::ProfileVariable))?);
        }
        Ok((operands, args))
    }

    fn option<'a>(
        &self,
        word: &'a str,
        rest: &mut dyn Iterator<Item = &'a str>,
    ) -> Result<(&'static Opt, &'a str), Usage> {
        let (name, glued) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let Some(option) = self.options.iter().find(|option| option.name == name) else {
            let names = self.options.iter().map(|option| option.name);
            let nearest = nearest(name, names);
            return Err(self.misused(Misuse::UnknownOption { nearest }));
        };
        match (&option.takes, glued) {
            (OptionArgument::Nothing, None) => Ok((option, "")),
            (OptionArgument::Nothing, Some(_)) => Err(self.misused(Misuse::NeedlessValue(option))),
            (_, glued) => {
                let value = glued.or_else(|| rest.next());
                let value = value.ok_or(self.misused(Misuse::NoValue(option)))?;
                Ok((option, value))
            }
        }
    }

    /// Creates a usage error that is not about the value of an option.
    pub(super) const fn wrong(&self, what: &'static str) -> Usage {
        self.misused(Misuse::Other(what))
    }

    const fn misused(&self, misuse: Misuse) -> Usage {
        Usage {
            misuse,
            verb: self.verb,
            usage: self.usage,
        }
    }
}

// === impl Args ===

impl Args<'_> {
    /// Returns the profile.
    pub(super) fn profile(&self) -> Option<ProfileName> {
        self.profile.clone()
    }

    /// Reports whether an option is given.
    pub(super) fn has(&self, option: &Opt) -> bool {
        self.value(option).is_some()
    }

    /// Returns the last value of an option.
    pub(super) fn value(&self, option: &Opt) -> Option<&str> {
        let last = self.given.iter().rev();
        let mut values = last.filter(|(given, _)| given.name == option.name);
        values.next().map(|(_, value)| *value)
    }

    /// Returns the last value of an option, parsed by `read`.
    pub(super) fn parsed<T>(
        &self,
        option: &'static Opt,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Usage> {
        let wrong = || self.grammar.misused(Misuse::WrongValue(option));
        self.value(option)
            .map(|text| read(text).ok_or_else(wrong))
            .transpose()
    }

    /// Returns the last value of an option that takes seconds.
    pub(super) fn seconds(&self, option: &'static Opt) -> Result<Option<Duration>, Usage> {
        self.parsed(option, |text| match option.takes {
            OptionArgument::Seconds(max) => wire::seconds(text, max),
            OptionArgument::Nothing | OptionArgument::Word { .. } => None,
        })
    }
}

/// Finds the known word that is most similar to `word`, if `word` is short enough for a suggestion.
pub(super) fn nearest(
    word: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    if word.trim_start_matches('-').chars().count() > LONGEST_WORD {
        return None;
    }
    spelling::nearest(&word.to_lowercase(), known)
}

// === impl Takes ===

impl OptionArgument {
    /// Returns the placeholder for the value in the usage; empty without a value.
    pub(super) const fn placeholder(&self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Seconds(_) => "S",
            Self::Word { name, .. } => name,
        }
    }
}

impl fmt::Display for OptionArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no value"),
            Self::Seconds(max) => {
                write!(f, "seconds from 0 to {}, such as 30 or 0.5", max.as_secs())
            }
            Self::Word { what, .. } => f.write_str(what),
        }
    }
}

// === impl Usage ===

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAME: &str =
            "a profile's name has 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit";
        match &self.misuse {
            Misuse::UnknownOption { nearest: None } => f.write_str("there is no such option"),
            Misuse::UnknownOption {
                nearest: Some(name),
            } => write!(f, "there is no such option; the nearest is {name}"),
            Misuse::NoValue(option) => {
                write!(f, "{} needs a value: {}", option.name, option.takes)
            }
            Misuse::WrongValue(option) | Misuse::NeedlessValue(option) => {
                write!(f, "{} takes {}", option.name, option.takes)
            }
            Misuse::TooMany => f.write_str("there are too many arguments"),
            Misuse::ProfileName => f.write_str(NAME),
            Misuse::ProfileVariable => write!(f, "JETON_PROFILE names no profile: {NAME}"),
            Misuse::Other(what) => f.write_str(what),
        }?;
        write!(f, "; usage: jeton {}", self.verb)?;
        match self.usage {
            "" => Ok(()),
            usage => write!(f, " {usage}"),
        }
    }
}
