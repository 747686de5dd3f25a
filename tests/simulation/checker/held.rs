//! The token that a daemon must hold, derived from its issuer's answers and the documentation.
//!
//! Where these leave room, it has both bounds.

use std::time::Duration;

use jetond::instant::BootInstant;

use super::record::{CallEnd, IssuerCall, ProfileLife};
use crate::history::Moment;

/// A held token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) token: u32,
    /// The moment from which it is held.
    pub(crate) since: Moment,
    /// When the request for it was sent.
    pub(crate) issued: BootInstant,
    /// When the request for its first grant was sent.
    pub(crate) first_issued: BootInstant,
    /// The minimum lifetime that it may count with.
    pub(crate) lifetime: Duration,
    /// The maximum lifetime that it may count with.
    pub(crate) longest: Duration,
    /// The earliest end of its use.
    pub(crate) surely: BootInstant,
    /// The latest end of its use.
    pub(crate) at_most: BootInstant,
    /// Whether it may count as granted again without a later end.
    pub(crate) repeated: bool,
    /// Whether it may count as granted again with a later end, or for the first time.
    pub(crate) extended: bool,
    /// Whether the issuer's last answer said that it has no validity left.
    pub(crate) of_no_time: bool,
    /// Whether it was granted twice, so that two answers state its validity.
    pub(crate) again: bool,
}

impl Held {
    /// Returns the held token after this call, with `before` as the one before it.
    pub(crate) fn after(before: Option<Self>, call: &IssuerCall) -> Option<Self> {
        let CallEnd::Granted(given) = call.end else {
            return before;
        };
        let sent = call.from.boot;
        let lifetime = believed(given.lifetime);
        let expires = served_until(sent, lifetime);
        let new = Self {
            token: given.token,
            since: call.until,
            issued: sent,
            first_issued: sent,
            lifetime,
            longest: lifetime,
            surely: expires,
            at_most: expires,
            repeated: false,
            extended: true,
            of_no_time: given.lifetime == Some(Duration::ZERO),
            again: false,
        };
        let Some(old) = before.filter(|old| old.token == given.token) else {
            let is_dead = Self::is_dead(before.as_ref(), call);
            return if is_dead { before } else { Some(new) };
        };
        // The same token was granted again. The daemon decides whether that is an extension, within ten seconds.
        let later = sent.after(lifetime) > old.issued.after(old.lifetime);
        let stated = given.stated || given.lifetime.is_none();
        let extended = stated && later;
        Some(Self {
            issued: if extended { sent } else { old.issued },
            lifetime: if extended {
                lifetime.min(old.lifetime)
            } else {
                old.lifetime
            },
            longest: if extended {
                lifetime.max(old.longest)
            } else {
                old.longest
            },
            surely: if stated {
                old.surely.min(expires)
            } else {
                old.surely
            },
            at_most: if stated {
                old.at_most.max(expires)
            } else {
                old.at_most
            },
            repeated: true,
            extended,
            of_no_time: new.of_no_time,
            again: true,
            ..old
        })
    }

    /// Returns whether the granted token is expired on arrival and so counts as no token, with `before` as the held
    /// one.
    pub(crate) fn is_dead(before: Option<&Self>, call: &IssuerCall) -> bool {
        let CallEnd::Granted(given) = call.end else {
            return false;
        };
        let is_held = before.is_some_and(|held| held.token == given.token);
        !is_held && served_until(call.from.boot, believed(given.lifetime)) <= call.until.boot
    }

    /// Returns each token that a life holds, from its first grant on, with the moment at which it is replaced.
    pub(crate) fn terms(life: &ProfileLife) -> Vec<(Self, Moment)> {
        let mut terms: Vec<(Self, Moment)> = vec![];
        for held in Self::of(life) {
            match terms.last_mut() {
                Some((term, _)) if term.token == held.token => {
                    let since = term.since;
                    *term = held;
                    term.since = since;
                }
                before => {
                    if let Some((_, until)) = before {
                        *until = held.since;
                    }
                    terms.push((held, life.until));
                }
            }
        }
        terms
    }

    /// Returns the held tokens of a life after each change, in order.
    pub(crate) fn of(life: &ProfileLife) -> Vec<Self> {
        let mut all = vec![];
        let mut held = None;
        for call in life.calls() {
            if matches!(call.end, CallEnd::Granted(_)) {
                held = Self::after(held, call);
                all.extend(held.map(|held| Self {
                    since: call.until,
                    ..held
                }));
            }
        }
        all
    }
}

/// Limits a stated lifetime to 1 s up to a day. Without one, 5 min are assumed.
pub(crate) fn believed(stated: Option<Duration>) -> Duration {
    const UNTOLD: Duration = Duration::from_secs(300);
    stated
        .unwrap_or(UNTOLD)
        .clamp(Duration::from_secs(1), Duration::from_secs(86_400))
}

/// Returns the expiry: the end less min(30 s, 5 %).
pub(crate) fn served_until(sent: BootInstant, lifetime: Duration) -> BootInstant {
    sent.after(lifetime - (lifetime / 20).min(Duration::from_secs(30)))
}
