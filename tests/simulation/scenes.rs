//! Draws the behaviour of a run's issuers for each call.

use std::time::Duration;

use fastrand::Rng;
use jetond::fault::FaultKind;
use jetond::instant::BootInstant;
use jetond::lifecycle::Phase;

use crate::coverage::EventKind;
use crate::world::{Reliability, RepeatGrant, Subject};

/// The timeout of a provider (`provider::http`), after which an unresponsive issuer has failed.
const PROVIDER_DEADLINE: Duration = Duration::from_secs(10);

/// The behaviour of an issuer during one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IssuerBehaviour {
    pub(crate) after: Duration,
    pub(crate) play: Play,
    /// Whether a suspend breaks the connection.
    pub(crate) is_fragile: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Play {
    Fail(FaultKind, Option<Duration>),
    /// A rejection that does not name the credential as its cause.
    Doubt(Option<Duration>),
    New {
        lifetime: Option<Duration>,
        stated: bool,
    },
    Same,
    OneOfTwo,
}

/// Draws an issuer's behaviour for a call, and the event that it counts as.
pub(crate) fn draw(
    subject: &Subject,
    phase: Option<Phase>,
    now: BootInstant,
    rng: &mut Rng,
) -> (Option<EventKind>, IssuerBehaviour) {
    let percent = rng.u8(0..100);
    let soon = Duration::from_millis(rng.u64(1..300));
    let is_fragile = rng.bool();
    // A misconfigured profile makes one call and then leaves this phase or returns to it. Such calls are so rare that
    // each outcome needs a large share of them.
    let is_rare = phase == Some(Phase::Misconfigured);
    let (good, rejected, bound) = match subject.mood {
        _ if is_rare && subject.mood != Reliability::Well => (38, 8, 4),
        Reliability::Well => (100, 0, 0),
        // Only a caller or the end of its rest makes a resting profile call its issuer.
        Reliability::Healthy if phase == Some(Phase::Resting) => (60, 4, 2),
        Reliability::Healthy => (85, 2, 1),
        Reliability::Mixed => (40, 12, 5),
        Reliability::Outage => (0, 0, 0),
        Reliability::Absent => (1, 0, 0),
        // A profile with a rejected secret calls rarely, and each kind of grant is a small part of these calls.
        Reliability::Rejecting if phase == Some(Phase::Rejected) => (14, 46, 4),
        Reliability::Rejecting => (8, 50, 4),
    };
    let starts_slowly = phase == Some(Phase::Starting) && rng.bool();
    let repeats = can_repeat(subject, now)
        && match phase {
            Some(Phase::Misconfigured) => rng.bool(),
            // Few profiles hold a token while they rest or are rejected.
            Some(Phase::Resting) => rng.u8(0..4) > 0,
            Some(Phase::Rejected) => rng.u8(0..16) == 0,
            _ => false,
        };
    let (met, after, play) = if repeats {
        (Some(EventKind::SameToken), Duration::ZERO, Play::Same)
    } else if percent < good {
        draw_grant(subject, is_rare, now, rng)
    } else if percent < good + rejected {
        // Any status may state a wait.
        let wait = (rng.u8(0..3) == 0).then(|| draw_wait(rng));
        if rng.u8(0..4) == 0 {
            (Some(EventKind::Doubted), soon, Play::Doubt(wait))
        } else {
            let play = Play::Fail(FaultKind::Rejected, wait);
            (Some(EventKind::Rejected), soon, play)
        }
    } else if percent < good + rejected + bound {
        let play = Play::Fail(FaultKind::BindingChanged, None);
        (Some(EventKind::BindingChanged), soon, play)
    } else if subject.mood == Reliability::Absent {
        let play = Play::Fail(FaultKind::NoEndpoint, None);
        (Some(EventKind::NoEndpoint), soon, play)
    } else {
        let (met, kind) = TRANSIENT[rng.usize(0..TRANSIENT.len())];
        let after = match met {
            EventKind::Hang => PROVIDER_DEADLINE,
            EventKind::Timeout => Duration::from_secs(3),
            _ => soon,
        };
        let waits = matches!(
            met,
            EventKind::RateLimitedUntil | EventKind::ServerErrorUntil
        );
        let wait = waits.then(|| draw_wait(rng));
        (Some(met), after, Play::Fail(kind, wait))
    };
    let after = match after {
        after if after.is_zero() => soon,
        after if starts_slowly => after + Duration::from_secs(rng.u64(1..5)),
        after => after,
    };
    let scene = IssuerBehaviour {
        after,
        play,
        is_fragile,
    };
    (met, scene)
}

const TRANSIENT: [(EventKind, FaultKind); 18] = [
    (EventKind::Dns, FaultKind::Dns),
    (EventKind::Connect, FaultKind::Connect),
    (EventKind::TlsName, FaultKind::TlsName),
    (EventKind::TlsExpired, FaultKind::TlsExpired),
    (EventKind::TlsUntrusted, FaultKind::TlsUntrusted),
    (EventKind::NoCa, FaultKind::NoCa),
    (EventKind::Timeout, FaultKind::Timeout),
    (EventKind::Hang, FaultKind::Timeout),
    (EventKind::Reset, FaultKind::Reset),
    (EventKind::Redirect, FaultKind::Redirect),
    (EventKind::Malformed, FaultKind::Malformed),
    (EventKind::InterimAnswers, FaultKind::InterimAnswers),
    (EventKind::TooLarge, FaultKind::TooLarge),
    (EventKind::RateLimited, FaultKind::RateLimited),
    (EventKind::RateLimitedUntil, FaultKind::RateLimited),
    (EventKind::ServerError, FaultKind::ServerError),
    (EventKind::ServerErrorUntil, FaultKind::ServerError),
    (EventKind::NoEndpoint, FaultKind::NoEndpoint),
];

/// Returns whether the last granted token can be granted again.
fn can_repeat(subject: &Subject, now: BootInstant) -> bool {
    let last = subject.tokens[subject.last];
    last.is_some_and(|token| token.life == subject.life && token.end > now)
}

/// Draws a grant: the event that it counts as, its delay (zero for a short one), and its kind.
fn draw_grant(
    subject: &Subject,
    is_rare: bool,
    now: BootInstant,
    rng: &mut Rng,
) -> (Option<EventKind>, Duration, Play) {
    let lifetime = draw_lifetime(subject.scale, rng);
    let new = Play::New {
        lifetime: Some(lifetime),
        stated: true,
    };
    let usual = match subject.habit {
        RepeatGrant::Another => 0,
        RepeatGrant::TheSame => 60,
        RepeatGrant::OneOfTwo => 75,
    };
    let soon = Duration::ZERO;
    match if !is_rare && rng.bool() {
        usual
    } else {
        rng.u8(0..100)
    } {
        54..75 if can_repeat(subject, now) => (Some(EventKind::SameToken), soon, Play::Same),
        75..85 => (Some(EventKind::TwoTokens), soon, Play::OneOfTwo),
        20..34 => (
            Some(EventKind::SlowGrant),
            Duration::from_millis(rng.u64(1_000..9_000)),
            new,
        ),
        34..44 => {
            let lifetime = Some(Duration::from_secs(rng.u64(1..10)));
            let play = Play::New {
                lifetime,
                stated: true,
            };
            (Some(EventKind::ShortGrant), soon, play)
        }
        44..54 => {
            // The token itself shows its lifetime, or nothing does.
            let lifetime = rng.bool().then_some(lifetime);
            let play = Play::New {
                lifetime,
                stated: false,
            };
            (Some(EventKind::UnstatedGrant), soon, play)
        }
        _ => (None, soon, new),
    }
}

/// Draws a `Retry-After`, sensible or not.
fn draw_wait(rng: &mut Rng) -> Duration {
    match rng.u8(0..6) {
        0 => Duration::ZERO,
        1 => Duration::from_millis(rng.u64(1..1_000)),
        2 => Duration::MAX,
        3 => Duration::from_secs(rng.u64(300..1_000_000)),
        _ => Duration::from_secs(rng.u64(1..120)),
    }
}

pub(crate) fn draw_lifetime(scale: Duration, rng: &mut Rng) -> Duration {
    match rng.u8(0..20) {
        0 => Duration::ZERO,
        1 => Duration::from_secs(10 * 365 * 86_400),
        _ => whole_seconds(scale.mul_f64(0.5 + rng.f64())),
    }
}

pub(crate) const fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}
