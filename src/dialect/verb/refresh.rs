//! `jeton refresh`: a new token, now; one line that says until when it holds.

use std::time::Duration;

use super::super::args::{Grammar, Usage};
use super::super::{Dialect, Outcome, Query, Surroundings, human, unexpected};
use crate::profile::ProfileName;
use crate::wire::frame::{Invocation, Reply};

/// The verb.
pub(in crate::dialect) struct Refresh(Option<ProfileName>);

const GRAMMAR: Grammar = Grammar {
    usage: "jeton refresh [PROFILE]",
    values: &[],
    flags: &[],
    profile: true,
};

impl Refresh {
    pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Self, Usage> {
        Ok(Self(GRAMMAR.read(run)?.profile()))
    }
}

impl Dialect for Refresh {
    fn query(&self) -> Query {
        Query::Refresh {
            profile: self.0.clone(),
        }
    }

    fn render(&self, outcome: &Outcome, _: Surroundings<'_>) -> Reply {
        let Outcome::Refreshed(state) = outcome else {
            return unexpected();
        };
        let left = Duration::from_secs(state.reply.expires_in.unwrap_or_default());
        let line = format!(
            "{}: a new token, valid for {}\n",
            state.reply.profile,
            human::duration(left)
        );
        Reply {
            stdout: line.into_bytes().into(),
            ..Reply::default()
        }
    }
}
