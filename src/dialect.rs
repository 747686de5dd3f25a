//! What the companion's verbs mean: one verb, or one foreign protocol, a file; request in, bytes and exit code out.
//!
//! All of it is pure. The companion only carries arguments and bytes, so a daemon upgrade upgrades every dialect.
//! [`http::oauth2`] alone is spoken without the companion, at a path of its own.

mod args;
pub mod http;
pub(crate) mod human;
mod verb;

use std::sync::Arc;
use std::time::Duration;

use self::verb::{exec, header, ready, refresh, reject, reload, status, token, watch};
use crate::instant::Now;
use crate::lifecycle::Held;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::wire::frame::{Answer, Invocation, Reply};
use crate::wire::{ProfileReply, Rejected};

/// What a verb asks of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// A token.
    Token {
        /// Whose; the only profile there is when none is named.
        profile: Option<ProfileName>,
        /// The validity it must have left.
        min_valid: Duration,
        /// How long to wait for it.
        max_wait: Duration,
    },
    /// The state of one profile, or of all.
    Profiles {
        /// Which; all when none is named.
        profile: Option<ProfileName>,
    },
    /// Whether the daemon, or a profile, is ready.
    Ready {
        /// Which profile; the daemon itself when none is named.
        profile: Option<ProfileName>,
        /// How long to wait until it is.
        wait: Duration,
    },
    /// A new token, now.
    Refresh {
        /// Whose; the only profile there is when none is named.
        profile: Option<ProfileName>,
    },
    /// The next token after one that was rejected.
    Reject {
        /// Whose; the only profile there is when none is named.
        profile: Option<ProfileName>,
        /// The token that was rejected.
        which: Rejected,
        /// How long to wait for the next one.
        max_wait: Duration,
    },
    /// What happens to a profile from now on.
    Watch {
        /// Which; the only profile there is when none is named.
        profile: Option<ProfileName>,
        /// The generation of the token that is known already.
        since: Option<u64>,
    },
    /// Reading the configuration again.
    Reload,
}

/// What the daemon found.
#[derive(Debug)]
pub enum Outcome {
    /// A token.
    Token {
        /// Whose.
        profile: ProfileName,
        /// The token.
        held: Arc<Held>,
        /// How good it is.
        freshness: Freshness,
    },
    /// States of profiles.
    Profiles(Vec<ProfileState>),
    /// It is ready.
    Ready,
    /// A profile has a new token.
    Refreshed(ProfileState),
    /// Something happened to the profile that is watched.
    News(News),
    /// The configuration was read again.
    Reloaded(Reloaded),
}

/// What a watcher is told.
#[derive(Debug)]
pub enum News {
    /// A new token.
    Token {
        /// Whose.
        profile: ProfileName,
        /// The token.
        held: Arc<Held>,
        /// How good it is.
        freshness: Freshness,
    },
    /// Another state.
    State(ProfileReply),
    /// Nothing has happened for a while.
    Quiet,
}

/// How good a valid token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As it was asked for.
    Good,
    /// It has less validity left than was asked for.
    Short,
    /// It was reported as rejected, and no newer one is held yet.
    Reported,
}

/// A profile's state, with what only a picture of it needs.
#[derive(Debug, Clone)]
pub struct ProfileState {
    /// The state as the interface shows it.
    pub reply: ProfileReply,
    /// The whole lifetime of the token held.
    pub lifetime: Option<Duration>,
    /// Whether the next attempt is made when somebody asks.
    pub resting: bool,
    /// Why the profile cannot ask at all, for people.
    pub blocked: Option<Arc<str>>,
}

/// What a reload changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Profiles that are new.
    pub added: usize,
    /// Profiles that are gone.
    pub removed: usize,
    /// Profiles that changed, and start anew.
    pub changed: usize,
    /// Profiles that did not change, and keep their token.
    pub kept: usize,
    /// Whether something else changed that only a restart takes up: the socket's mode.
    pub restart_needed: bool,
}

/// What a rendering may need beside the outcome.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The moment.
    pub now: Now,
    /// The daemon's token socket.
    pub socket: &'a str,
}

/// One verb with its arguments.
pub trait Dialect: Send {
    /// What it asks of the daemon.
    fn query(&self) -> Query;
    /// What it prints of the daemon's answer.
    fn render(&self, outcome: &Outcome, around: Surroundings<'_>) -> Reply;
}

/// Reads a run of the companion.
///
/// # Errors
/// What the companion is told at once: the usage and exit code 64 when its arguments make no sense, or to send standard
/// input as well.
pub fn parse(run: &Invocation) -> Result<Box<dyn Dialect>, Answer> {
    let verb = run.args.get(1).map(String::as_str);
    match verb {
        Some("token") => boxed(token::Token::parse(run)),
        Some("header") => boxed(header::Header::parse(run)),
        Some("exec") => boxed(exec::Exec::parse(run)),
        Some("status") => boxed(status::Status::parse(run)),
        Some("ready") => boxed(ready::Ready::parse(run)),
        Some("refresh") => boxed(refresh::Refresh::parse(run)),
        Some("reject") => match reject::Reject::parse(run) {
            Ok(reject::Parsed::Complete(reject)) => Ok(Box::new(reject)),
            Ok(reject::Parsed::NeedsInput) => Err(Answer::SendInput { one_line: true }),
            Err(usage) => Err(misused(&usage)),
        },
        Some("watch") => boxed(watch::Watch::parse(run)),
        Some("reload") => boxed(reload::Reload::parse(run)),
        _ => Err(refusal(
            Code::NotSupported.row().exit,
            "this daemon does not know that verb; 'jeton help' lists them",
        )
        .into()),
    }
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

fn boxed<D: Dialect + 'static>(parsed: Result<D, args::Usage>) -> Result<Box<dyn Dialect>, Answer> {
    match parsed {
        Ok(dialect) => Ok(Box::new(dialect)),
        Err(usage) => Err(misused(&usage)),
    }
}

fn misused(usage: &args::Usage) -> Answer {
    refusal(Code::BadRequest.row().exit, &usage.to_string()).into()
}

// === impl Freshness ===

impl Freshness {
    /// Whether the interface calls the token stale.
    pub fn is_stale(self) -> bool {
        self != Self::Good
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

/// What a verb prints when it is given the outcome of another: a fault of ours, and not the user's.
fn unexpected() -> Reply {
    let row = Code::Internal.row();
    refusal(row.exit, row.detail)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::instant::{BootInstant, UnixTime};
    use crate::lifecycle::Phase;
    use crate::token::{AccessToken, LastAnswer, Validity};
    use crate::wire::{Counts, FaultReply};

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

    /// The outcome of a request for a token of an hour, sent just now.
    pub(crate) fn token_outcome(freshness: Freshness) -> Outcome {
        let validity = Validity::new(around().now.boot, Some(Duration::from_secs(3_600)));
        Outcome::Token {
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
    pub(crate) fn states() -> Outcome {
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
        Outcome::Profiles(vec![
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
        ])
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
    use super::testing::*;
    use super::*;

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
            let Some(Answer::Done(reply)) = parse(&run(args)).err() else {
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
            let changes = parse(&run).is_ok_and(|dialect| dialect.query() == Query::Reload);
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
        let profile =
            |run: &Invocation| match parse(run).unwrap_or_else(|_| panic!("parsed")).query() {
                Query::Token { profile, .. } => profile.map(|p| p.to_string()),
                other => panic!("{other:?}"),
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
