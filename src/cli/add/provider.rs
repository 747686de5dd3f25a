//! The options of `jetond add` that describe the provider. They come from the configuration: one for each key.

use std::collections::BTreeSet;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::super::output::{Exit, fail};
use crate::config::{AddressCandidate, KeyDoc, KeyOption, OptionForm, Provider, ProviderKind};

/// The given options of the provider.
#[derive(Debug, Clone, Default)]
pub(super) struct ProviderArgs {
    /// The provider's kind; `None` with `--rebind`.
    kind: Option<&'static ProviderKind>,
    given: Vec<GivenOption>,
}

/// One given option.
#[derive(Debug, Clone)]
struct GivenOption {
    /// The kind of provider that has the option.
    kind: &'static ProviderKind,
    name: &'static str,
    form: OptionForm,
    texts: Vec<String>,
}

/// The usage lines of `jetond add`.
pub(super) fn usage() -> String {
    let of_kind = |kind: &ProviderKind| {
        let ProviderKind { name, usage, .. } = kind;
        format!("jetond add <NAME> --provider {name} {usage} [OPTIONS]\n       ")
    };
    let lines: String = ProviderKind::ALL.iter().map(of_kind).collect();
    format!(
        "{lines}jetond add <NAME> --rebind [OPTIONS]\n       jetond add [OPTIONS]  (asks for the rest on a terminal)"
    )
}

/// The text below the help of `jetond add`.
pub(super) fn examples() -> String {
    let examples = ProviderKind::ALL.iter().map(|kind| kind.example);
    let lines: Vec<_> = examples
        .map(|example| format!("jetond add {example}"))
        .collect();
    format!(
        "Example: {}\nIt asks for the client ID and, without showing it, for the client secret.",
        lines.join("\n         ")
    )
}

// === impl ProviderArgs ===

impl ProviderArgs {
    /// Whether this option is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.iter().any(|given| given.name == name)
    }

    /// The provider's kind; `None` if it is not given.
    pub(super) const fn kind(&self) -> Option<&'static ProviderKind> {
        self.kind
    }

    /// Whether the options describe a whole provider, or the missing ones cannot be asked for.
    pub(super) fn is_whole(&self) -> bool {
        let given = |kind: &ProviderKind| {
            let own = self.given.iter().filter(|it| it.kind.name == kind.name);
            let texts: Vec<_> = own.map(GivenOption::texts).collect();
            !matches!(kind.provider(&texts), Ok(None) | Err(_))
        };
        self.kind.is_some_and(given)
    }

    /// Adds this kind and address to the options.
    pub(super) fn with(&self, kind: &'static ProviderKind, address: &AddressCandidate) -> Self {
        let mut given = self.given.clone();
        given.push(GivenOption {
            kind,
            name: address.option,
            form: OptionForm::Once,
            texts: vec![address.value.clone()],
        });
        let kind = Some(kind);
        Self { kind, given }
    }

    /// The provider that the options describe; `None` with `--rebind`.
    pub(super) fn provider(&self) -> Result<Option<Provider>, Exit> {
        let Some(kind) = self.kind else {
            return Ok(None);
        };
        let (own, foreign): (Vec<_>, Vec<_>) = self
            .given
            .iter()
            .partition(|given| given.kind.name == kind.name);
        let texts: Vec<_> = own.iter().map(|given| given.texts()).collect();
        let Ok(Some(provider)) = kind.provider(&texts) else {
            let ProviderKind { name, needs, .. } = kind;
            return Err(fail(
                Exit::Usage,
                format!("--provider {name} needs {needs}"),
            ));
        };
        if let Some(given) = foreign.first() {
            let (names, name) = (names(given.kind), given.kind.name);
            return Err(fail(
                Exit::Usage,
                format!("{names} are for --provider {name}"),
            ));
        }
        for given in own {
            if let Some(twice) = given.twice() {
                let what = format!("--{} {twice} is given twice", given.name);
                return Err(fail(Exit::Usage, what));
            }
        }
        Ok(Some(provider))
    }
}

/// The options of a kind, as a person types them.
fn names(kind: &ProviderKind) -> String {
    let mut names: Vec<_> = kind
        .options()
        .iter()
        .map(|(key, _)| format!("--{}", key.name))
        .collect();
    match (names.pop(), names.join(", ")) {
        (Some(last), others) if !others.is_empty() => format!("{others} and {last}"),
        (last, _) => last.unwrap_or_default(),
    }
}

/// Makes the required options optional in the parser: missing ones are asked for.
pub(super) fn without_demands(command: Command) -> Command {
    let replaced = |command: Command, arg: Arg| {
        let id = arg.get_id().to_string();
        command.mut_arg(id, |_| arg)
    };
    let options = options().map(|(kind, (key, option))| arg(kind, key, option));
    options.fold(replaced(command, provider()), replaced)
}

fn provider() -> Arg {
    let kinds = ProviderKind::ALL.iter().map(|kind| kind.name);
    Arg::new("provider")
        .long("provider")
        .value_name("PROVIDER")
        .help("The kind of issuer")
        .value_parser(PossibleValuesParser::new(kinds))
        .conflicts_with("rebind")
}

fn options() -> impl Iterator<Item = (&'static ProviderKind, (KeyDoc, KeyOption))> {
    let kinds = ProviderKind::ALL.iter();
    kinds.flat_map(|kind| kind.options().into_iter().map(move |it| (kind, it)))
}

impl clap::Args for ProviderArgs {
    fn augment_args(command: Command) -> Command {
        let demanded = |(kind, (key, option)): (&'static ProviderKind, (KeyDoc, _))| {
            let arg = arg(kind, key, option);
            match key.default.is_empty() {
                true => arg.required_if_eq("provider", kind.name),
                false => arg,
            }
        };
        command
            .arg(provider().required_unless_present("rebind"))
            .args(options().map(demanded))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(kind: &'static ProviderKind, key: KeyDoc, option: KeyOption) -> Arg {
    let arg = Arg::new(key.name)
        .long(key.name)
        .help(option.help)
        .conflicts_with("rebind");
    let arg = match option.form {
        OptionForm::Flag => arg,
        OptionForm::Words(words) => arg.value_parser(PossibleValuesParser::new(words)),
        OptionForm::Once | OptionForm::Repeated | OptionForm::Pairs => {
            arg.value_parser(move |text: &str| {
                let checked = kind.check_option(key.name, option.form, text);
                checked.map(|()| text.to_owned())
            })
        }
    };
    let arg = match option.form {
        OptionForm::Flag => arg.action(ArgAction::SetTrue),
        OptionForm::Words(_) | OptionForm::Once => arg.value_name(option.value),
        OptionForm::Repeated | OptionForm::Pairs => {
            arg.value_name(option.value).action(ArgAction::Append)
        }
    };
    let arg = if kind.heading.is_empty() {
        arg
    } else {
        arg.help_heading(kind.heading)
    };
    if option.excludes.is_empty() {
        arg
    } else {
        arg.conflicts_with(option.excludes)
    }
}

impl clap::FromArgMatches for ProviderArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let kind = matches.get_one::<String>("provider");
        self.kind = kind.and_then(|name| ProviderKind::named(name));
        self.given.clear();
        for kind in ProviderKind::ALL {
            for (key, option) in kind.options() {
                let texts: Vec<String> = match option.form {
                    OptionForm::Flag if matches.get_flag(key.name) => vec![String::new()],
                    OptionForm::Flag => vec![],
                    _ => matches
                        .get_many(key.name)
                        .map_or_else(Vec::new, |texts| texts.cloned().collect()),
                };
                if !texts.is_empty() {
                    self.given.push(GivenOption {
                        kind,
                        name: key.name,
                        form: option.form,
                        texts,
                    });
                }
            }
        }
        Ok(())
    }
}

// === impl Given ===

impl GivenOption {
    fn texts(&self) -> (&'static str, Vec<&str>) {
        let texts = self.texts.iter().map(String::as_str);
        (self.name, texts.collect())
    }

    /// The first name that is given twice: a request has each parameter only once (RFC 6749 section 3.2).
    fn twice(&self) -> Option<&str> {
        let mut seen = BTreeSet::new();
        let pairs = self.texts.iter().filter_map(|text| text.split_once('='));
        let mut names = pairs.map(|(name, _)| name);
        names.find(|name| self.form == OptionForm::Pairs && !seen.insert(*name))
    }
}
