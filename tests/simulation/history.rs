//! The events of one run in order, as its clients and issuers saw them.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jetond::fault::FaultKind;
use jetond::instant::BootInstant;
use jetond::lifecycle::Policy;
use jetond::schedule::Reissue;

/// A moment of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment {
    /// The time on tokio's clock, which stops during a suspend. Timeouts count on it.
    pub(crate) run: Duration,
    /// The time on the boot clock, which advances during a suspend. Lifetimes count on it.
    pub(crate) boot: BootInstant,
}

/// Number of a life of a profile: the time in which the configuration has the profile in one form.
pub(crate) type Life = u32;

/// The reason why a store has no credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreFailure {
    /// The store is empty.
    NotEnrolled,
    /// The content of the store cannot be used.
    Unusable,
}

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// The daemon keeps a profile from now on.
    Kept {
        life: Life,
        profile: usize,
        policy: Policy,
    },
    /// A reload of this profile begins; its life continues or ends.
    Reload {
        profile: usize,
        goes_on: bool,
    },
    /// The daemon reads the credential.
    Load {
        life: Life,
        load: u32,
    },
    Loaded {
        life: Life,
        load: u32,
        found: Result<u32, StoreFailure>,
    },
    /// The daemon calls the issuer for a token.
    Call {
        life: Life,
        call: u32,
        secret: u32,
    },
    Granted {
        call: u32,
        token: u32,
        /// The stated lifetime.
        lifetime: Option<Duration>,
        stated: bool,
        /// The real end of the validity.
        end: BootInstant,
    },
    Failed {
        call: u32,
        kind: FaultKind,
        retry_after: Option<Duration>,
        /// Whether the rejection does not name the credential as its cause.
        is_doubtful: bool,
    },
    /// The daemon stops waiting for the answer.
    Dropped {
        call: u32,
    },
    /// A client sends a request.
    Asked {
        request: u32,
        profile: usize,
        ask: Ask,
    },
    Answered {
        request: u32,
        answer: Answer,
    },
    /// The client hung up before the answer.
    HungUp {
        request: u32,
    },
    /// The client gave up, because there was no answer long after its deadline.
    Silence {
        request: u32,
    },
    /// A watcher receives an event.
    Told {
        request: u32,
        told: WatchEvent,
    },
    /// The machine was suspended; the event's time is that of the resume.
    Suspended {
        by: Duration,
    },
    /// The wall clock was set.
    Jumped {
        seconds: i64,
    },
    /// The store has another secret from now on, or cannot be used.
    Stored {
        profile: usize,
        found: Result<u32, StoreFailure>,
    },
    /// All issuers and stores work from now on.
    Calm,
    /// The end of the history.
    End,
}

/// A client's request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ask {
    Token {
        min_valid: Duration,
        max_wait: Duration,
        plain: bool,
    },
    Oauth2,
    Status,
    Ready,
    Refresh,
    /// A report that this token was rejected by its service. The client got it at that moment in that life.
    Reject {
        token: u32,
        generation: u64,
        life: Life,
        got: Duration,
        by_hash: bool,
        max_wait: Duration,
        uid: u32,
    },
    /// A watch that continues after the generation `since`, and pauses this long before each read.
    Watch {
        since: Option<u64>,
        reads_after: Duration,
    },
    Reload,
}

/// An event of a watch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum WatchEvent {
    Token(Answer),
    State {
        phase: String,
        generation: u64,
    },
    /// A keep-alive comment.
    Comment,
}

/// The answer to a request.
#[derive(Debug, Clone, Default, PartialEq, Hash)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The code of a problem.
    pub(crate) code: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) generation: Option<u64>,
    pub(crate) expires_in: Option<u64>,
    pub(crate) stale: bool,
    /// The complete body, byte for byte.
    pub(crate) body: String,
}

/// All events of one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(pub(crate) Vec<(Moment, Event)>);

impl Ask {
    /// Returns whether the answer is a token, or the reason why there is none.
    pub(crate) const fn is_for_token(&self) -> bool {
        matches!(self, Self::Token { .. } | Self::Oauth2)
    }

    /// Returns whether the request shows that a client wants tokens.
    pub(crate) const fn is_asking(&self) -> bool {
        self.is_for_token()
            || matches!(
                self,
                Self::Refresh | Self::Reject { .. } | Self::Watch { .. }
            )
    }

    pub(crate) const fn min_valid(&self) -> Duration {
        match self {
            Self::Token { min_valid, .. } => *min_valid,
            _ => Duration::ZERO,
        }
    }

    /// Returns the deadline of the answer.
    pub(crate) const fn max_wait(&self) -> Duration {
        match self {
            Self::Token { max_wait, .. } | Self::Reject { max_wait, .. } => *max_wait,
            // A watcher always receives an event, even if there is no new token.
            Self::Watch { .. } => Duration::from_secs(15),
            // The default for requests without a deadline, for a token and for a refresh.
            Self::Oauth2 | Self::Refresh => Duration::from_secs(5),
            Self::Status | Self::Ready => Duration::ZERO,
            // The timeout of a store.
            Self::Reload => Duration::from_secs(3),
        }
    }
}

impl History {
    pub(crate) fn push(&mut self, at: Moment, what: Event) {
        self.0.push((at, what));
    }

    /// Returns a hash of all events.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for entry in &self.0 {
            format!("{entry:?}").hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slept = self.boot.since_boot().saturating_sub(self.run);
        write!(
            f,
            "{:>12.3} +{:<9.1}",
            self.run.as_secs_f64(),
            slept.as_secs_f64()
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept {
                life,
                profile,
                policy,
            } => {
                let reissue = match policy.reissue {
                    Reissue::Normal => "",
                    other => other.as_str(),
                };
                let warm = if policy.keep_warm { "keep-warm" } else { "" };
                write!(f, "p{profile} is kept as life {life} {reissue} {warm}")
            }
            Self::Reload {
                profile,
                goes_on: true,
            } => write!(f, "p{profile} is reloaded, and goes on"),
            Self::Reload { profile, .. } => write!(f, "p{profile} is reloaded, and ends"),
            Self::Load { life, load } => write!(f, "life {life} looks into the store ({load})"),
            Self::Loaded { life, load, found } => {
                write!(f, "life {life} finds {found:?} in the store ({load})")
            }
            Self::Call { life, call, secret } => {
                write!(f, "life {life} makes call {call} with secret {secret}")
            }
            Self::Granted {
                call,
                token,
                lifetime,
                stated,
                end,
            } => write!(
                f,
                "call {call} brings token {token} for {lifetime:?}{}, which ends at {:.3}",
                if *stated { "" } else { " unstated" },
                end.since_boot().as_secs_f64()
            ),
            Self::Failed {
                call,
                kind,
                retry_after,
                is_doubtful,
            } => {
                let doubt = if *is_doubtful { ", in doubt" } else { "" };
                write!(f, "call {call} fails: {}{doubt}", kind.as_str())?;
                match retry_after {
                    Some(wait) => write!(f, ", retry after {wait:?}"),
                    None => Ok(()),
                }
            }
            Self::Dropped { call } => write!(f, "call {call} is dropped"),
            Self::Asked {
                request,
                profile,
                ask,
            } => write!(f, "    request {request} of p{profile}: {ask:?}"),
            Self::Answered { request, answer } => {
                write!(
                    f,
                    "    request {request} gets {} {}",
                    answer.status,
                    answer.body.trim_end()
                )
            }
            Self::Told { request, told } => write!(f, "    watch {request} is told {told:?}"),
            Self::HungUp { request } => write!(f, "    request {request} hangs up"),
            Self::Silence { request } => write!(f, "    request {request} gets no answer"),
            Self::Suspended { by } => write!(f, "the machine has slept for {by:?}"),
            Self::Jumped { seconds } => write!(f, "the wall clock jumps by {seconds} s"),
            Self::Stored { profile, found } => write!(f, "the store of p{profile} has {found:?}"),
            Self::Calm => f.write_str("from now on everything works"),
            Self::End => f.write_str("the end"),
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (at, what)) in self.0.iter().enumerate() {
            writeln!(f, "{number:>5} {at} {what}")?;
        }
        Ok(())
    }
}
