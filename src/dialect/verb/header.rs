//! `jeton header`: the header that carries the token (RFC 6750 section 2.1), as `curl -H @-` reads it.

use super::super::args::{Grammar, Usage};
use super::super::{Dialect, Outcome, Query, Surroundings, unexpected};
use super::token::{TOKEN_OPTIONS, Wish, stale_note};
use crate::wire::frame::{Invocation, Reply};

/// The verb.
pub(in crate::dialect) struct Header(Wish);

const GRAMMAR: Grammar = Grammar {
    usage: "jeton header [PROFILE] [--min-valid S] [--max-wait S]",
    values: TOKEN_OPTIONS,
    flags: &[],
    profile: true,
};

impl Header {
    pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Self, Usage> {
        Ok(Self(Wish::read(&GRAMMAR.read(run)?, run)?))
    }
}

impl Dialect for Header {
    fn query(&self) -> Query {
        self.0.query()
    }

    fn render(&self, outcome: &Outcome, around: Surroundings<'_>) -> Reply {
        let Outcome::Token {
            profile,
            held,
            freshness,
        } = outcome
        else {
            return unexpected();
        };
        let stdout = format!("Authorization: Bearer {}\n", held.token.expose());
        let left = held.validity.remaining(around.now.boot);
        Reply {
            stdout: stdout.into_bytes().into(),
            stderr: stale_note(profile, *freshness, left),
            exit: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Freshness;
    use crate::dialect::testing::*;

    #[test]
    fn the_header_is_one_line() {
        let header = Header::parse(&run(&["header"])).unwrap();
        assert_eq!(
            header.render(&token_outcome(Freshness::Good), around()),
            reply("Authorization: Bearer T0KEN\n", "", 0)
        );
    }
}
