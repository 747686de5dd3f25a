//! The arguments that every `jetond app` command has.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::super::target::TargetArgs;
use crate::applications::Kind;
use crate::profile::ProfileName;

/// Whose token to use, and which keys are meant.
#[derive(Debug, clap::Args)]
pub(super) struct KeyOptions {
    /// The kind of keys; auto: the user's own keys, under the server's name for them
    #[arg(long, default_value = "auto", value_parser = kinds())]
    pub(super) kind: Kind,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

/// Parses a kind of keys.
fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str))
        .try_map(|word| Kind::parse(&word).ok_or("there is no such kind"))
}

/// The profile whose token is used; else `JETON_PROFILE`, else the only one.
#[derive(Debug, clap::Args)]
pub(super) struct TokenProfile {
    /// The profile whose token to use; default: JETON_PROFILE, otherwise the only profile
    #[arg(value_parser = ProfileName::parse)]
    pub(super) profile: Option<ProfileName>,
}
