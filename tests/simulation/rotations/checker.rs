//! Finds broken promises in the history of a machine whose key is rotated.

mod finding;
mod in_place;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::history::{Event, History, Secret};
pub(crate) use finding::{Finding, Rule};
use in_place::{InPlace, Known};

/// How long after an unrelated fault requests may still fail: longer than any wait of the schedule.
const RECOVERY: Duration = Duration::from_secs(16 * 60);

/// A held token with this much validity left must be served; its last 30 s need not be.
const SURE: Duration = Duration::from_secs(40);

/// A request that waits this long must be served by a call of normal duration.
const ENOUGH: Duration = Duration::from_secs(5);

/// The state after the events so far.
#[derive(Default)]
struct Seen {
    findings: Vec<Finding>,
    /// The keys, each with the number of its present secret.
    keys: BTreeMap<u32, u32>,
    /// The secrets in the record.
    stored: Option<[Option<Secret>; 2]>,
    /// The secret and the end of each token.
    tokens: BTreeMap<u32, (Secret, Duration)>,
    in_place: InPlace,
    /// The tokens that this process or an earlier one served.
    served: BTreeSet<u32>,
    /// The last token that this process served.
    last: Option<u32>,
    /// When a fault unrelated to the rotation last occurred.
    ill: Option<Duration>,
    asked: BTreeMap<u32, (Duration, Duration)>,
    is_lost: bool,
    /// Whether a person asked to finish the open rotation, which may delete the old key at once.
    is_finishing: bool,
}

/// Returns every promise that a history breaks.
pub(crate) fn check(history: &History) -> Vec<Finding> {
    let mut seen = Seen::default();
    for (at, what) in &history.0 {
        seen.take(*at, what);
    }
    seen.findings
}

// === impl Seen ===

impl Seen {
    fn take(&mut self, at: Duration, what: &Event) {
        let known = Known {
            current: self.stored.and_then(|[current, _]| current),
            keys: &self.keys,
            tokens: &self.tokens,
        };
        let findings = self.in_place.take(at, what, &known);
        self.findings.extend(findings);
        self.happens(at, what);
        if self.is_revoked() {
            self.ill = self.ill.max(Some(at));
        }
    }

    fn happens(&mut self, at: Duration, what: &Event) {
        match what {
            Event::Starts { .. } | Event::Killed => {
                self.last = None;
                // The open requests will not be answered any more.
                self.asked.clear();
            }
            Event::Made { key } => {
                self.keys.insert(*key, 0);
                if self.keys.len() > 2 {
                    let text = format!("key {key} is one of {}", self.keys.len());
                    self.finds(Rule::Two, at, text);
                }
            }
            Event::Gone { key } => {
                self.keys.remove(key);
                self.cut(at, *key);
                self.lost(at);
            }
            Event::Renewed { secret, known_from } => {
                self.keys.insert(secret.key, secret.version);
                self.ill = self.ill.max(Some(*known_from));
                self.lost(at);
            }
            Event::Slot { .. } => self.lost(at),
            Event::Journal { of } => {
                self.is_finishing &= of.is_some();
                self.lost(at);
            }
            Event::Rotates { finish, .. } => self.is_finishing |= finish,
            Event::Record { current, other, .. } => {
                let had_other = matches!(self.stored, Some([_, Some(_)]));
                if had_other && other.is_none() {
                    // The rotation has ended.
                    self.is_finishing = false;
                }
                self.stored = Some([*current, *other]);
                self.lost(at);
            }
            Event::Granted { token, secret, end } => {
                self.tokens.insert(*token, (*secret, *end));
            }
            Event::Failed { .. } | Event::Unreadable => self.ill = self.ill.max(Some(at)),
            Event::Asked { request, max_wait } => {
                self.asked.insert(*request, (at, *max_wait));
            }
            Event::Answered { request, token } => {
                let asked = self.asked.remove(request);
                match token {
                    Some(token) => self.served(at, *request, *token),
                    None => self.refused(at, *request, asked),
                }
            }
            // A request may end without a token because the machine slept through its wait.
            Event::Suspended { .. } => self.asked.clear(),
            Event::Silence { request } => {
                let text = format!("request {request} gets no answer");
                self.finds(Rule::Unnoticed, at, text);
            }
            Event::End { left, .. } => {
                for left in left {
                    self.finds(Rule::Ends, at, format!("there is {left}"));
                }
            }
            _ => {}
        }
    }

    fn finds(&mut self, rule: Rule, at: Duration, text: String) {
        self.findings.push(Finding::new(rule, at, text));
    }

    /// Checks that the issuer knows a stored secret.
    fn lost(&mut self, at: Duration) {
        let Some(stored) = self.stored else { return };
        let is_known = stored.iter().flatten().any(|secret| self.knows(*secret));
        let is_lost = !is_known && !self.in_place.is_open(&stored);
        if is_lost && !self.is_lost {
            let text = format!("{stored:?} is stored, {:?} is known", self.keys);
            self.finds(Rule::Lost, at, text);
        }
        self.is_lost = is_lost;
    }

    /// Returns whether the issuer knows this secret.
    fn knows(&self, secret: Secret) -> bool {
        self.keys.get(&secret.key) == Some(&secret.version)
    }

    /// Returns whether the stored secret is revoked, as it is for a while in a rotation in place.
    fn is_revoked(&self) -> bool {
        let current = self.stored.and_then(|[current, _]| current);
        current.is_some_and(|current| !self.knows(current))
    }

    /// Checks that no served token needs a key that was deleted.
    fn cut(&mut self, at: Duration, key: u32) {
        let of_key = |token: &&u32| {
            let (secret, end) = self.tokens[*token];
            secret.key == key && end > at
        };
        let cut: Vec<_> = self.served.iter().filter(of_key).collect();
        if !cut.is_empty() && !self.is_finishing {
            let text = format!("key {key} is deleted while tokens {cut:?} are used");
            self.finds(Rule::Cut, at, text);
        }
    }

    fn served(&mut self, at: Duration, request: u32, token: u32) {
        self.served.insert(token);
        self.last = Some(token);
        // It is not documented whether the tokens of a secret that was replaced stay valid, so they may be served.
        let key = self.tokens.get(&token).map(|(secret, _)| secret.key);
        if key.is_none_or(|key| !self.keys.contains_key(&key)) {
            let text = format!("request {request} gets token {token} of a key that is gone");
            self.finds(Rule::Dead, at, text);
        }
    }

    /// Checks that a request that was not served failed for a reason unrelated to the rotation.
    fn refused(&mut self, at: Duration, request: u32, asked: Option<(Duration, Duration)>) {
        let held = self.last.and_then(|last| self.tokens.get(&last));
        let holds = held
            .is_some_and(|(secret, end)| self.keys.contains_key(&secret.key) && at + SURE < *end);
        let is_well = self.ill.is_none_or(|ill| ill + RECOVERY < at);
        let waited = asked.is_some_and(|(_, max_wait)| max_wait >= ENOUGH);
        if holds {
            let text = format!(
                "request {request} fails while token {:?} is held",
                self.last
            );
            self.finds(Rule::Unnoticed, at, text);
        } else if is_well && waited {
            let text = format!("request {request} fails although all works but the rotation");
            self.finds(Rule::Unnoticed, at, text);
        }
    }
}
