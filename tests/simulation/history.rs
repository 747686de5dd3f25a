//! What happened in one run, as its clients and its issuers saw it, in order.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jetond::fault::FaultKind;
use jetond::instant::BootInstant;
use jetond::lifecycle::Policy;
use jetond::schedule::Reissue;

/// A moment of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At {
    /// On tokio's clock, which stands still in suspend: what timeouts are counted on.
    pub(crate) run: Duration,
    /// On the boot clock, which does not: what lifetimes are counted on.
    pub(crate) boot: BootInstant,
}

/// A life of a profile: from when the configuration names it in this form until it no longer does.
pub(crate) type Life = u32;

/// Why a store has no credential to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// It holds none.
    NotEnrolled,
    /// What it holds cannot be used.
    Unusable,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// A profile is kept from now on.
    Kept {
        life: Life,
        profile: usize,
        policy: Policy,
    },
    /// A reload begins that concerns this profile; its life goes on, or ends.
    Reload {
        profile: usize,
        goes_on: bool,
    },
    /// The credential is looked for.
    Load {
        life: Life,
        load: u32,
    },
    Loaded {
        life: Life,
        load: u32,
        found: Result<u32, Lack>,
    },
    /// The issuer is asked for a token.
    Call {
        life: Life,
        call: u32,
        secret: u32,
    },
    Granted {
        call: u32,
        token: u32,
        /// What the issuer said.
        lifetime: Option<Duration>,
        stated: bool,
        /// What is true.
        end: BootInstant,
    },
    Failed {
        call: u32,
        kind: FaultKind,
        retry_after: Option<Duration>,
        /// Whether a rejection does not say that the credential is why.
        is_doubtful: bool,
    },
    /// The daemon no longer waits for the answer.
    Dropped {
        call: u32,
    },
    /// A client asks.
    Asked {
        request: u32,
        profile: usize,
        ask: Ask,
    },
    Answered {
        request: u32,
        answer: Answer,
    },
    /// The client went away before it had an answer.
    HungUp {
        request: u32,
    },
    /// The client gave up: there was no answer long after its deadline.
    Silence {
        request: u32,
    },
    /// One who watches is told something.
    Told {
        request: u32,
        told: Told,
    },
    /// The machine slept; the moment is that of waking.
    Suspended {
        by: Duration,
    },
    /// Somebody set the wall clock.
    Jumped {
        seconds: i64,
    },
    /// There is another secret in the store, or the store cannot be used.
    Stored {
        profile: usize,
        found: Result<u32, Lack>,
    },
    /// From now on every issuer and every store works.
    Calm,
    /// Nothing more is looked at.
    End,
}

/// What a client asks.
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
    /// This token, which it got at that moment in that life, was rejected by what it is for.
    Reject {
        token: u32,
        generation: u64,
        life: Life,
        got: Duration,
        by_hash: bool,
        max_wait: Duration,
        uid: u32,
    },
    /// It watches, after it was told of a generation before, and reads on after so long each time.
    Watch {
        since: Option<u64>,
        reads_after: Duration,
    },
    Reload,
}

/// What one who watches is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    Token(Answer),
    State {
        phase: String,
        generation: u64,
    },
    /// A sign of life.
    Comment,
}

/// What it was told.
#[derive(Debug, Clone, Default, PartialEq, Hash)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Of a problem.
    pub(crate) code: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) generation: Option<u64>,
    pub(crate) expires_in: Option<u64>,
    pub(crate) stale: bool,
    /// All that it was told, to the byte.
    pub(crate) body: String,
}

/// Everything that happened in one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(pub(crate) Vec<(At, What)>);

impl Ask {
    /// Whether it is answered with a token, or with the reason why there is none.
    pub(crate) const fn is_for_token(&self) -> bool {
        matches!(self, Self::Token { .. } | Self::Oauth2)
    }

    /// Whether it is word of somebody who wants tokens.
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

    /// How long the answer may take.
    pub(crate) const fn max_wait(&self) -> Duration {
        match self {
            Self::Token { max_wait, .. } | Self::Reject { max_wait, .. } => *max_wait,
            // It is told something, be it that there is nothing new.
            Self::Watch { .. } => Duration::from_secs(15),
            // As long as one who does not say, for a token or for a refresh.
            Self::Oauth2 | Self::Refresh => Duration::from_secs(5),
            Self::Status | Self::Ready => Duration::ZERO,
            // As long as a store may take.
            Self::Reload => Duration::from_secs(3),
        }
    }
}

impl History {
    pub(crate) fn push(&mut self, at: At, what: What) {
        self.0.push((at, what));
    }

    /// One number for all of it.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for entry in &self.0 {
            format!("{entry:?}").hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl fmt::Display for At {
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

impl fmt::Display for What {
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
