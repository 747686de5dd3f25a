//! What the companion's verbs mean: one verb, or one foreign protocol, a file; request in, bytes and exit code out.
//!
//! All of it is pure. The companion only carries arguments and bytes, so a daemon upgrade upgrades every dialect.
//! [`http::oauth2`] alone is spoken without the companion, at a path of its own.

mod args;
pub mod http;
pub(crate) mod human;
mod verb;

use self::verb::{exec, header, ready, refresh, reject, reload, status, token, watch};
use crate::instant::Now;
use crate::problem::{Code, Problem};
use crate::query::Asked;
use crate::wire::frame::{Answer, Invocation, Reply};

/// How a run of the companion goes on.
pub enum Parsed {
    /// The daemon is asked, and the answer printed.
    Ask(Asked),
    /// This is the answer at once: the usage when the arguments make no sense, or to send standard input as well.
    Answer(Answer),
}

/// Reads a run of the companion.
pub fn parse(run: &Invocation) -> Parsed {
    let parse = match run.args.get(1).map(String::as_str) {
        Some("token") => token::parse,
        Some("header") => header::parse,
        Some("exec") => exec::parse,
        Some("status") => status::parse,
        Some("ready") => ready::parse,
        Some("refresh") => refresh::parse,
        Some("reject") => reject::parse,
        Some("watch") => watch::parse,
        Some("reload") => reload::parse,
        _ => {
            let exit = Code::NotSupported.row().exit;
            let line = "this daemon does not know that verb; 'jeton help' lists them";
            return Parsed::Answer(refusal(exit, line).into());
        }
    };
    parse(run).unwrap_or_else(|usage| {
        let exit = Code::BadRequest.row().exit;
        Parsed::Answer(refusal(exit, &usage.to_string()).into())
    })
}

/// Whether a run of the companion asks for a change, which is made through the admin socket alone.
pub fn is_admin(run: &Invocation) -> bool {
    run.args.get(1).is_some_and(|verb| verb == "reload")
}

/// What a run that [`is_admin`] gets at the token socket: the way to the other one, and for companions that do not know it,
/// `why` with the exit code of a refusal.
pub fn to_admin(why: &str) -> Answer {
    Answer::SendToAdmin {
        otherwise: refusal(Code::Forbidden.row().exit, why),
    }
}

/// What the companion prints of a failed request: one line that says what to do.
pub fn failure(problem: &Problem, now: Now) -> Reply {
    let mut line = String::new();
    if let Some(profile) = &problem.profile {
        line.push_str(profile.as_str());
        line.push_str(": ");
    }
    line.push_str(&problem.detail());
    if let Some(at) = problem.retry_at {
        let wait = at.since_epoch().saturating_sub(now.unix.since_epoch());
        line.push_str(&format!(" (next attempt in {})", human::duration(wait)));
    }
    refusal(problem.code.row().exit, &line)
}

fn refusal(exit: u8, line: &str) -> Reply {
    Reply {
        stderr: format!("jeton: {line}\n"),
        exit,
        ..Reply::default()
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::instant::{BootInstant, UnixTime};
    use crate::lifecycle::{Held, Phase};
    use crate::profile::ProfileName;
    use crate::query::{Freshness, ProfileState, Surroundings, TokenAnswer};
    use crate::token::{AccessToken, LastAnswer, Validity};
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

    pub(crate) fn around() -> Surroundings<'static> {
        Surroundings {
            now: Now {
                boot: BootInstant::from_boot(Duration::from_secs(10_000)),
                unix: UnixTime::from_epoch(Duration::from_secs(1_800_000_000)),
            },
            socket: "/run/user/1000/jeton/jeton.sock",
        }
    }

    /// The answer to a request for a token of an hour, sent just now.
    pub(crate) fn token_answer(freshness: Freshness) -> TokenAnswer {
        let validity = Validity::new(around().now.boot, Some(Duration::from_secs(3_600)));
        TokenAnswer {
            profile: ProfileName::parse("research").unwrap(),
            held: Arc::new(Held {
                token: AccessToken::parse("T0KEN").unwrap(),
                validity,
                generation: 7,
                last_answer: LastAnswer::default(),
            }),
            freshness,
        }
    }

    /// The states of a profile that is well, of one that is rejected, and of one that rests.
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
            last_fault: None,
            reported: false,
            cooling_down_until: None,
            clock_skew: None,
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

    /// What a run asks, which must make sense.
    pub(crate) fn asked(run: &Invocation) -> Asked {
        match parse(run) {
            Parsed::Ask(asked) => asked,
            Parsed::Answer(answer) => panic!("answered at once: {answer:?}"),
        }
    }

    /// What a run that asks for a token prints of one.
    pub(crate) fn printed(run: &Invocation, answer: &TokenAnswer) -> Reply {
        match asked(run) {
            Asked::Token(_, print) | Asked::Reject(_, print) => print.print(answer, around()),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::testing::*;
    use super::*;
    use crate::profile::ProfileName;

    #[test]
    fn what_makes_no_sense_gets_one_line_and_exit_64_that_repeat_nothing_of_it() {
        for args in [
            &["\u{1b}[31mno-such-verb"][..],
            &[],
            &["token", "a", "b"],
            &["token", "--no-such-option"],
            &["token", "Bad Name"],
            &["token", "a\nhost=evil"],
            &["token", "--min-valid"],
            &["token", "--min-valid", "-1"],
            &["token", "--min-valid=1e9"],
            &["reject", "--generation", "x"],
            &["exec", "research"],
            &["exec", "--env", "A=B", "research"],
            &["reload", "research"],
            &["ready", "--wait", "x"],
        ] {
            let Parsed::Answer(Answer::Done(reply)) = parse(&run(args)) else {
                panic!("{args:?} is refused");
            };
            assert_eq!(reply.exit, 64, "{args:?}");
            assert!(reply.stdout.is_empty());
            let line = reply.stderr;
            assert!(
                line.starts_with("jeton: ") && line.ends_with('\n'),
                "{line:?}"
            );
            assert!(line.trim_end().chars().all(|c| !c.is_control()), "{line:?}");
            assert!(
                !line.contains("evil") && !line.contains("no-such"),
                "{line:?}"
            );
        }
    }

    #[test]
    fn what_changes_something_is_sent_to_the_admin_socket_before_its_arguments_are_read() {
        for (args, admin) in [
            (&["reload"][..], true),
            (&["reload", "--no-such-option"], true),
            (&["token"], false),
            (&["token", "reload"], false),
            (&["status"], false),
            (&["reject"], false),
            (&["no-such-verb"], false),
            (&[], false),
        ] {
            let run = run(args);
            assert_eq!(is_admin(&run), admin, "{args:?}");
            let changes = matches!(parse(&run), Parsed::Ask(Asked::Reload(_)));
            assert!(admin || !changes, "{args:?}");
        }
        let otherwise = reply("", "jeton: why\n", 77);
        assert_eq!(to_admin("why"), Answer::SendToAdmin { otherwise });
    }

    #[test]
    fn a_failure_says_what_why_and_when_it_is_tried_again() {
        let research = ProfileName::parse("research").unwrap();
        let now = around().now;
        let at = now.unix.since_epoch() + Duration::from_secs(90);
        let problem = Problem::new(Code::Unavailable)
            .of(&research)
            .until(Some(crate::instant::UnixTime::from_epoch(at)));
        assert_eq!(
            failure(&problem, now),
            reply(
                "",
                "jeton: research: no valid token is held and the issuer gave none; 'jeton status' shows why \
                 (next attempt in 1 min 30 s)\n",
                75
            )
        );
    }

    #[test]
    fn the_profile_comes_from_the_argument_else_from_the_environment() {
        let profile = |run: &Invocation| match asked(run) {
            Asked::Token(query, _) => query.profile.map(|p| p.to_string()),
            _ => panic!("asks for no token"),
        };
        let mut with_env = run(&["token"]);
        assert_eq!(profile(&with_env), None);
        with_env.env.insert("JETON_PROFILE".into(), "ci".into());
        assert_eq!(profile(&with_env).as_deref(), Some("ci"));
        with_env.args.push("research".into());
        assert_eq!(profile(&with_env).as_deref(), Some("research"));
        with_env.args.pop();
        with_env.env.insert("JETON_PROFILE".into(), String::new());
        assert_eq!(profile(&with_env), None, "empty counts as unset");
    }
}
