//! `jeton whoami`: shows whom the profile's token identifies: key, server, user and roles. The daemon asks the control
//! plane.

use std::time::Duration;

use super::super::args::{Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::key;
use super::super::token_request::wait_limit;
use crate::query::{Print, PrintContext, Question, WhoamiAnswer, WhoamiForm, WhoamiQuery};
use crate::wire::frame::Reply;

static JSON: Opt = Opt {
    name: "--json",
    takes: OptionArgument::Nothing,
    help: "print JSON",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "whoami",
    usage: "[PROFILE] [--json]",
    does: "show the token's identity: user, roles, key, clusters",
    options: &[&JSON],
    profile: Profile::ArgumentOrVariable,
};

/// The longest wait of a caller: for a token, for a look-up in progress, and for its own look-up.
const LONGEST: Duration = Duration::from_secs(28);

struct Whoami {
    json: bool,
}

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    let query = WhoamiQuery {
        profile: args.profile(),
        max_wait: LONGEST.min(wait_limit(call)),
    };
    let json = args.has(&JSON);
    Ok(NextStep::Ask(Question::Whoami(
        query,
        Box::new(Whoami { json }),
    )))
}

impl Print<WhoamiAnswer> for Whoami {
    fn print(&self, answer: &WhoamiAnswer, around: PrintContext<'_>) -> Reply {
        let now = around.now.unix.seconds_down();
        let lines = key::lines(&answer.state, now);
        let members = key::members(&answer.state);
        let form = WhoamiForm {
            json: self.json,
            now,
            profile: &answer.profile,
            lines: &lines,
            members: &members,
        };
        Reply {
            stdout: answer.identity.print(&form).into_bytes().into(),
            ..Reply::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dialect::testing::*;
    use crate::profile::ProfileName;
    use crate::query::Identity;

    struct Nobody;

    impl Identity for Nobody {
        fn print(&self, form: &WhoamiForm<'_>) -> String {
            format!("{} {} {}\n", form.profile, form.json, form.now)
        }
    }

    #[test]
    fn whoami_uses_the_requested_profile_and_format() {
        for (args, profile, json) in [
            (&["whoami"][..], None, false),
            (&["whoami", "ci", "--json"], Some("ci"), true),
        ] {
            let Question::Whoami(query, print) = asked(&run(args)) else {
                panic!("{args:?}")
            };
            assert_eq!(query.profile.as_ref().map(ProfileName::as_str), profile);
            let answer = WhoamiAnswer {
                profile: ProfileName::parse("research").unwrap(),
                state: Box::new(states().swap_remove(0).reply),
                identity: Arc::new(Nobody),
            };
            let says = format!("research {json} 1800000000\n");
            assert_eq!(print.print(&answer, around()), reply(&says, "", 0));
        }
    }
}
