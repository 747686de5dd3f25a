//! The meaning of the companion's verbs, and the protocols of other tools: request in, bytes and exit code out.
//!
//! Everything here is pure. The companion only carries arguments and bytes, so upgrading the daemon upgrades every
//! dialect. `verb` has the table; a new verb is a file and a row there. [`http`] has the protocols that work without
//! the companion, each at its own path.

mod args;
mod call;
mod failure;
mod help;
pub mod http;
pub(crate) mod human;
mod key;
mod row;
mod setups;
mod token_format;
mod token_request;
mod tool;
mod verb;

pub use self::call::NextStep;
pub use self::failure::{failure, to_admin};
pub use self::setups::SETUPS;
pub use self::verb::{is_admin, parse, programs};

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{NextStep, parse};
    use crate::instant::{BootInstant, Now, UnixTime};
    use crate::lifecycle::{HeldToken, Phase};
    use crate::profile::ProfileName;
    use crate::query::{Freshness, PrintContext, ProfileState, Question, TokenAnswer};
    use crate::token::{AccessToken, LastAnswer, MAX_TOKEN_LEN, Validity};
    use crate::wire::frame::{Invocation, Reply};
    use crate::wire::{Counts, FaultReply, ProfileReply};

    pub(crate) fn run(args: &[&str]) -> Invocation {
        Invocation {
            args: std::iter::once("jeton")
                .chain(args.iter().copied())
                .map(str::to_owned)
                .collect(),
            ..Invocation::default()
        }
    }

    pub(crate) fn around() -> PrintContext<'static> {
        PrintContext {
            now: Now {
                boot: BootInstant::from_boot(Duration::from_secs(10_000)),
                unix: UnixTime::from_epoch(Duration::from_secs(1_800_000_000)),
            },
            socket: "/run/user/1000/jeton/jeton.sock",
        }
    }

    /// Creates a reply to a token request: the token lasts one hour and was requested just now.
    pub(crate) fn token_answer(freshness: Freshness) -> TokenAnswer {
        TokenAnswer {
            freshness,
            ..answer_with("T0KEN")
        }
    }

    /// Tokens with every character that a token may have, and of the greatest length.
    pub(crate) fn hard_tokens() -> [String; 3] {
        let all: String = ('!'..='~').collect();
        let longest = all.chars().cycle().take(MAX_TOKEN_LEN).collect();
        [all, longest, "\"\\".repeat(MAX_TOKEN_LEN / 2)]
    }

    /// Creates a reply to a token request with this token.
    pub(crate) fn answer_with(token: &str) -> TokenAnswer {
        let validity = Validity::new(around().now.boot, Some(Duration::from_secs(3_600)));
        TokenAnswer {
            profile: ProfileName::parse("research").unwrap(),
            held: Arc::new(HeldToken {
                token: AccessToken::parse(token).unwrap(),
                validity,
                generation: 7,
                scope: None,
                last_answer: LastAnswer::default(),
            }),
            freshness: Freshness::Good,
        }
    }

    /// Creates the states of three profiles: healthy, rejected and resting.
    pub(crate) fn states() -> Vec<ProfileState> {
        let now = around().now.unix.seconds_down();
        let fresh = ProfileReply {
            profile: "research".into(),
            provider: "runai".into(),
            phase: Phase::Fresh,
            generation: 7,
            expires_in: Some(2_500),
            expires_at: Some(now + 2_500),
            next_attempt_at: Some(now + 700),
            queued_for: None,
            last_fault: None,
            stored_credential_rejected: None,
            unusable: None,
            reported: false,
            cooling_down_until: None,
            clock_skew: None,
            granted_scope: None,
            missing_scope: None,
            sinks: vec![],
            real_expiry_told: false,
            key: None,
            rotation: None,
            counts: Counts {
                requests: 3,
                refreshes: 2,
                failures: 0,
                reports: 0,
            },
        };
        let broken = ProfileReply {
            profile: "a-profile-with-a-rather-long-name".into(),
            phase: Phase::Rejected,
            expires_in: None,
            expires_at: None,
            next_attempt_at: Some(now + 60),
            last_fault: Some(FaultReply {
                kind: crate::fault::FaultKind::Rejected,
                at: now - 30,
                detail:
                    "https://acme.run.ai answered 401: invalid_client: Client authentication failed"
                        .into(),
            }),
            clock_skew: Some(-90),
            ..fresh.clone()
        };
        let resting = ProfileReply {
            profile: "unused".into(),
            phase: Phase::Resting,
            next_attempt_at: None,
            cooling_down_until: Some(now + 60),
            queued_for: Some(90),
            ..fresh.clone()
        };
        let hour = Some(Duration::from_secs(3_600));
        vec![
            ProfileState {
                reply: fresh,
                lifetime: hour,
                resting: false,
                blocked: None,
            },
            ProfileState {
                reply: broken,
                lifetime: None,
                resting: false,
                blocked: None,
            },
            ProfileState {
                reply: resting,
                lifetime: hour,
                resting: true,
                blocked: None,
            },
        ]
    }

    /// Parses a valid run to its request.
    pub(crate) fn asked(run: &Invocation) -> Question {
        match parse(run) {
            NextStep::Ask(asked) => asked,
            NextStep::Answer(answer) => panic!("answered at once: {answer:?}"),
            NextStep::Confirm(_, question) => panic!("asks back: {question}"),
        }
    }

    /// Returns the output of a run that requests a token, for this reply.
    pub(crate) fn printed(run: &Invocation, answer: &TokenAnswer) -> Reply {
        match asked(run) {
            Question::Token(_, print) | Question::Reject(_, print) => print.print(answer, around()),
            _ => panic!("asks for no token"),
        }
    }

    pub(crate) fn reply(stdout: &str, stderr: &str, exit: u8) -> Reply {
        Reply {
            stdout: stdout.as_bytes().to_vec().into(),
            stderr: stderr.into(),
            exit,
        }
    }
}
