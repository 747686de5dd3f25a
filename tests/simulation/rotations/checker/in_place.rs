//! Checks the promises of rotations in place.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::history::{Event, Secret};
use super::finding::{Finding, Rule};

/// The validity that the kept token must have.
const LASTING: Duration = Duration::from_secs(15 * 60);

/// A token is kept within this time after its validity was checked, unless the machine sleeps.
const AT_ONCE: Duration = Duration::from_secs(30);

/// How long the issuer may still execute a call whose answer was lost.
const LATE_CALLS: Duration = Duration::from_secs(60);

/// The number of calls after which a person is needed even if each of them was accepted.
const ROUNDS: u32 = 5;

/// The state of a machine in which rotations in place happen.
pub(super) struct Known<'a> {
    /// The secret in force.
    pub(super) current: Option<Secret>,
    /// The keys, each with the number of its present secret.
    pub(super) keys: &'a BTreeMap<u32, u32>,
    /// The secret and the end of each token.
    pub(super) tokens: &'a BTreeMap<u32, (Secret, Duration)>,
}

/// The rotation in place after the events so far.
#[derive(Default)]
pub(super) struct InPlace {
    has_journal: bool,
    tokens_survive: bool,
    /// The token in the second slot, and the secret in the answer there.
    slot: (Option<u32>, Option<Secret>),
    /// The last suspends: their ends and durations.
    slept: Vec<(Duration, Duration)>,
    /// When the call was sent that has no answer yet.
    sent: Option<Duration>,
    /// When the last call was sent whose answer was lost.
    lost: Option<Duration>,
    /// The last token: its secret, and when it was granted.
    granted: Option<(Secret, Duration)>,
    /// The number of calls of this process.
    calls: u32,
    /// Whether the issuer refused a call that the kept token may make.
    was_refused: bool,
    /// Whether a person is needed, and nothing has happened since that could change it.
    waits_for_person: bool,
}

// === impl InPlace ===

impl InPlace {
    /// Returns whether a rotation in place is open. `stored` has the secrets in the record.
    pub(super) fn is_open(&self, stored: &[Option<Secret>; 2]) -> bool {
        let is_of_one_key =
            matches!(stored, [Some(current), Some(other)] if current.key == other.key);
        self.has_journal || self.slot.0.is_some() || is_of_one_key
    }

    /// Takes an event; returns the promises that it breaks.
    pub(super) fn take(&mut self, at: Duration, what: &Event, known: &Known<'_>) -> Vec<Finding> {
        let mut findings = vec![];
        let mut finds = |rule, text| findings.push(Finding::new(rule, at, text));
        if self.waits_for_person && is_write(what) {
            finds(Rule::Person, format!("a person is needed, but {what:?}"));
        }
        match what {
            Event::Starts { tokens_survive, .. } => self.tokens_survive = *tokens_survive,
            Event::Killed => {
                self.lost = self.lost.max(self.sent.take());
                (self.calls, self.was_refused, self.waits_for_person) = (0, false, false);
            }
            Event::Rotates { .. } | Event::Reloads | Event::Mends => self.waits_for_person = false,
            Event::Suspended { by } => self.slept.push((at, *by)),
            Event::Granted { secret, .. } => self.granted = Some((*secret, at)),
            Event::Slot { token, answer } => {
                let before = std::mem::replace(&mut self.slot, (*token, *answer));
                if let Some(token) = token.filter(|token| before.0 != Some(*token)) {
                    let left = self.left_when_checked(at, token, known);
                    if left < LASTING {
                        let text = format!("token {token} is kept with {left:?} left");
                        finds(Rule::Kept, text);
                    }
                }
            }
            Event::Api { call, fate } if *call == "regenerate" => {
                self.calls += 1;
                self.was_refused |= fate.contains("Forbidden");
                if self.slot.0.is_none() {
                    finds(Rule::Kept, "no token is kept for a regeneration".to_owned());
                }
                self.lost = self.lost.max(self.sent.replace(at));
            }
            Event::ApiAnswers => self.sent = None,
            Event::Journal { of } => {
                let is_in_place = *of == Some("in place");
                let had = std::mem::replace(&mut self.has_journal, is_in_place);
                if had && of.is_none() {
                    if let Some(text) = self.ends_early(known) {
                        finds(Rule::Settled, text);
                    }
                    (self.lost, self.calls, self.was_refused) = (None, 0, false);
                }
            }
            Event::NeedsHuman => {
                self.waits_for_person = true;
                if let Some(text) = self.needs_nobody(at, known) {
                    finds(Rule::Person, text);
                }
            }
            _ => {}
        }
        findings
    }

    /// Returns how long this token was valid when the daemon decided to keep it.
    fn left_when_checked(&self, at: Duration, token: u32, known: &Known<'_>) -> Duration {
        let end = known
            .tokens
            .get(&token)
            .map_or(Duration::ZERO, |(_, end)| *end);
        let since = at.saturating_sub(AT_ONCE);
        let recent = self.slept.iter().filter(|(woke, _)| *woke >= since);
        let slept: Duration = recent.map(|(_, by)| *by).sum();
        (end + slept).saturating_sub(at)
    }

    /// Returns why a rotation that ends now ends too early.
    fn ends_early(&self, known: &Known<'_>) -> Option<String> {
        let lost = self.lost.max(self.sent)?;
        let current = known.current?;
        let is_settled = self
            .granted
            .is_some_and(|(secret, at)| secret == current && lost + LATE_CALLS <= at);
        (!is_settled).then(|| {
            let granted = self.granted;
            format!("{current:?} is in force, and the last token is {granted:?}; a call of {lost:?} was lost")
        })
    }

    /// Returns why no person is needed.
    fn needs_nobody(&self, at: Duration, known: &Known<'_>) -> Option<String> {
        let is_present = |secret: Secret| known.keys.get(&secret.key) == Some(&secret.version);
        let mut stored = known.current.into_iter().chain(self.slot.1);
        if let Some(secret) = stored.find(|secret| is_present(*secret)) {
            return Some(format!("a person is needed while {secret:?} works"));
        }
        let token = self.slot.0.and_then(|token| known.tokens.get(&token));
        let works = token.is_some_and(|(secret, end)| {
            let is_accepted = match self.tokens_survive {
                true => known.keys.contains_key(&secret.key),
                false => is_present(*secret),
            };
            at < *end && is_accepted
        });
        let is_over = self.calls >= ROUNDS || self.was_refused;
        (works && !is_over).then(|| format!("a person is needed while {:?} works", self.slot.0))
    }
}

/// Returns whether the event is a change by the daemon.
fn is_write(what: &Event) -> bool {
    match what {
        Event::Record { .. } | Event::Slot { .. } | Event::Journal { .. } => true,
        Event::Api { call, .. } => *call != "list",
        _ => false,
    }
}
