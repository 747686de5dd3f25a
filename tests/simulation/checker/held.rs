//! What a daemon holds, as who sees its issuer's answers has to believe: derived anew from what is documented, and where
//! that leaves room, both ends of it.

use std::time::Duration;

use jetond::instant::BootInstant;

use super::record::{CallEnd, Called, Lived};
use crate::history::At;

/// A token that is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) token: u32,
    /// From when it is held.
    pub(crate) since: At,
    /// When the request for it was sent.
    pub(crate) issued: BootInstant,
    /// When that for its first giving was.
    pub(crate) first_issued: BootInstant,
    /// It counts as this long at least, …
    pub(crate) lifetime: Duration,
    /// … and at most.
    pub(crate) longest: Duration,
    /// It is served at least until then, …
    pub(crate) surely: BootInstant,
    /// … and at most until then.
    pub(crate) at_most: BootInstant,
    /// Whether it may count as given again without a later end.
    pub(crate) repeated: bool,
    /// Whether it may count as given again with a later end, or for the first time.
    pub(crate) extended: bool,
    /// Whether the issuer said with the last answer that it holds for no time.
    pub(crate) of_no_time: bool,
    /// Whether it was given twice: what is left of it is known by two answers.
    pub(crate) again: bool,
}

impl Held {
    /// What is held after this call, when this was held before it.
    pub(crate) fn after(before: Option<Self>, call: &Called) -> Option<Self> {
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
        // The same again: whether that is an extension is for the daemon to say, within ten seconds.
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

    /// Whether what a call brought is dead on arrival, when this was held before it: that is as good as none.
    pub(crate) fn is_dead(before: Option<&Self>, call: &Called) -> bool {
        let CallEnd::Granted(given) = call.end else {
            return false;
        };
        let is_held = before.is_some_and(|held| held.token == given.token);
        !is_held && served_until(call.from.boot, believed(given.lifetime)) <= call.until.boot
    }

    /// From when to when a life holds each token, however often it is given again meanwhile.
    pub(crate) fn terms(life: &Lived) -> Vec<(Self, At)> {
        let mut terms: Vec<(Self, At)> = vec![];
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

    /// What a life holds at each moment when that changes, in order.
    pub(crate) fn of(life: &Lived) -> Vec<Self> {
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

/// Of a lifetime that is stated, this much is believed: 1 s to a day; 5 min of one that is not.
pub(crate) fn believed(stated: Option<Duration>) -> Duration {
    const UNTOLD: Duration = Duration::from_secs(300);
    stated
        .unwrap_or(UNTOLD)
        .clamp(Duration::from_secs(1), Duration::from_secs(86_400))
}

/// The expiry: the end less min(30 s, 5 %).
pub(crate) fn served_until(sent: BootInstant, lifetime: Duration) -> BootInstant {
    sent.after(lifetime - (lifetime / 20).min(Duration::from_secs(30)))
}
