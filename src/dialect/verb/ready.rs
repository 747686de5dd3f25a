//! `jeton ready`: silence and exit code 0 when it is, for probes and scripts.

use std::time::Duration;

use super::super::args::{Grammar, Usage};
use super::super::{Dialect, Outcome, Query, Surroundings};
use super::token::patience;
use crate::profile::ProfileName;
use crate::wire::frame::{Invocation, Reply};

/// The longest wait of a probe: a job's start may wait for a daemon for a while, not for ever.
const MAX_WAIT: Duration = Duration::from_secs(3_600);

/// The verb.
pub(in crate::dialect) struct Ready {
    profile: Option<ProfileName>,
    wait: Duration,
}

const GRAMMAR: Grammar = Grammar {
    usage: "jeton ready [PROFILE] [--wait S]",
    values: &["--wait"],
    flags: &[],
    profile: true,
};

impl Ready {
    pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Self, Usage> {
        let args = GRAMMAR.read(run)?;
        let wait = args.seconds("--wait", MAX_WAIT)?;
        Ok(Self {
            profile: args.profile(),
            wait: wait.map_or(Duration::ZERO, |wait| wait.min(patience(run))),
        })
    }
}

impl Dialect for Ready {
    fn query(&self) -> Query {
        Query::Ready {
            profile: self.profile.clone(),
            wait: self.wait,
        }
    }

    fn render(&self, _: &Outcome, _: Surroundings<'_>) -> Reply {
        Reply::default()
    }
}
