//! The local interface: its paths, what its answers look like, and the caps on its requests.

pub mod events;
pub mod frame;
pub mod locking;
mod reject;
pub mod reload;
pub mod rotation;
mod seconds;
mod sink;
pub mod token_issued;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::FaultKind;
use crate::instant::Now;
use crate::lifecycle::{Held, LastFault, Phase, View};
use crate::profile::ProfileName;
use crate::token::{self, Pieces};
use rotation::{KeyReply, RotationReply};

pub use reject::Rejected;
pub use seconds::seconds;
pub use sink::{SinkReply, SinkState};

/// The largest body of a request to `/v1/helper`, in bytes, and of its answer.
pub const MAX_FRAME: usize = 256 * 1024;

/// The largest body of any other request, in bytes.
pub const MAX_BODY: usize = 16 * 1024;

/// The most validity that a caller may ask for (`min_valid`).
pub const MAX_MIN_VALID: Duration = Duration::from_secs(86_400);

/// The longest that a caller may wait (`max_wait`).
pub const MAX_MAX_WAIT: Duration = Duration::from_secs(60);

/// A person is told when the issuer's clock and ours are further apart: certificates need it right, and so does whoever
/// reads our times.
pub const SKEW_LIMIT: Duration = Duration::from_secs(60);

/// How long a caller waits that did not say.
pub const DEFAULT_MAX_WAIT: Duration = Duration::from_secs(5);

/// Room for the numbers of an answer to be written in.
type Digits = [itoa::Buffer; 3];

/// The answer to a request for a token.
pub struct TokenReply<'a> {
    /// The profile.
    pub profile: &'a str,
    /// The token as JSON spells it between its quotes; this is one of the doors through which it leaves.
    pub token_in_json: &'a str,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Whole seconds for which it is still served.
    pub expires_in: u64,
    /// Until when it is served, in Unix seconds.
    pub expires_at: u64,
    /// Its number.
    pub generation: u64,
    /// Whether it has less validity left than was asked for.
    pub stale: bool,
}

/// A profile's state, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileReply {
    /// The profile.
    pub profile: String,
    /// Its provider, as the configuration names it.
    pub provider: String,
    /// What a person sees of it.
    pub phase: Phase,
    /// The generation of its token.
    pub generation: u64,
    /// Whole seconds for which its token is still served.
    pub expires_in: Option<u64>,
    /// Until when its token is served, in Unix seconds.
    pub expires_at: Option<u64>,
    /// When the next attempt is due, in Unix seconds; absent while one runs or the profile rests.
    pub next_attempt_at: Option<u64>,
    /// For how many whole seconds an attempt has waited for its turn at the issuer; absent while none does.
    #[serde(default)]
    pub queued_for: Option<u64>,
    /// The last fault, kept after a success.
    pub last_fault: Option<FaultReply>,
    /// Why the issuer rejects the credential that is stored now, while the former one stays in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_credential_rejected: Option<FaultReply>,
    /// Whether its token was reported as rejected, and no newer one is held yet.
    #[serde(default)]
    pub reported: bool,
    /// Until when reports lead to no refresh, in Unix seconds, since fresh tokens keep being reported.
    #[serde(default)]
    pub cooling_down_until: Option<u64>,
    /// By how many seconds the issuer's clock is ahead of this machine's, negative when it is behind; absent while it has
    /// not said what it shows.
    #[serde(default)]
    pub clock_skew: Option<i64>,
    /// The scope that the issuer granted, where it is narrower than the one that the configuration asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_scope: Option<String>,
    /// What it did not grant of that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_scope: Option<String>,
    /// The files that its token is written to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkReply>,
    /// Whether the client of a tool was told the real expiry of its token, since no refresh is sure to come in time for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub real_expiry_told: bool,
    /// The age of its key, and its next rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyReply>,
    /// The rotation of its key that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationReply>,
    /// What has been counted since the daemon knows the profile.
    pub counts: Counts,
}

/// A fault, as status shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReply {
    /// What kind.
    pub kind: FaultKind,
    /// When, in Unix seconds.
    pub at: u64,
    /// One sentence for people.
    pub detail: String,
}

/// What has been counted of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests for its token.
    pub requests: u64,
    /// Attempts that brought a token.
    pub refreshes: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Tokens that were reported as rejected.
    #[serde(default)]
    pub reports: u64,
}

/// The list of profiles that the caller may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfilesReply {
    /// The profiles, by name.
    pub profiles: Vec<ProfileReply>,
}

/// Which daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionReply {
    /// The version of the program that runs.
    pub version: String,
    /// Whether its file was replaced since it started, so that a restart runs another program; absent where the system
    /// does not report it.
    pub binary_replaced: Option<bool>,
}

/// By how many seconds the issuer's clock is ahead of ours.
pub fn clock_skew(view: &View, now: Now) -> Option<i64> {
    let clock = view.issuer_clock.as_ref()?;
    Some(clock.ahead_of(now.boot, now.unix))
}

// === impl TokenReply ===

impl<'a> TokenReply<'a> {
    /// The answer that hands out `held` at `now`.
    pub fn new(profile: &'a ProfileName, held: &'a Held, stale: bool, now: Now) -> Self {
        Self {
            profile: profile.as_str(),
            token_in_json: held.token.expose_json(),
            token_type: "Bearer",
            expires_in: held.validity.remaining(now.boot).as_secs(),
            expires_at: now.unix_of(held.validity.expires).seconds_down(),
            generation: held.generation,
            stale,
        }
    }

    /// As [`TokenReply::to_line`], and made once for all who ask for this token in the same second: under load that is
    /// most of the work of an answer.
    pub fn line(profile: &'a ProfileName, held: &'a Held, stale: bool, now: Now) -> Pieces {
        let reply = Self::new(profile, held, stale, now);
        let shows = (reply.expires_in, reply.expires_at, stale);
        held.last_answer.expose_or_make(shows, || {
            let mut digits = Digits::default();
            let (before, after) = reply.around_token(&mut digits);
            token::around_in_json(before.concat(), &held.token, after.concat())
        })
    }

    /// The answer as a line of JSON. A profile's name has no character that JSON escapes, and the token is spelled for JSON
    /// already, so they are copied as they are; and into a buffer of its final size, since one that grows leaves copies
    /// behind.
    pub fn to_line(&self) -> Vec<u8> {
        let mut digits = Digits::default();
        let (before, after) = self.around_token(&mut digits);
        let [a, b, c] = before;
        let [d, e, f, g, h, i, j, k, l] = after;
        [a, b, c, self.token_in_json, d, e, f, g, h, i, j, k, l]
            .concat()
            .into_bytes()
    }

    /// The parts of the line before and after the token.
    fn around_token<'b>(&'b self, digits: &'b mut Digits) -> ([&'b str; 3], [&'b str; 9]) {
        let [expires_in, expires_at, generation] = digits;
        (
            [r#"{"profile":""#, self.profile, r#"","access_token":""#],
            [
                r#"","token_type":""#,
                self.token_type,
                r#"","expires_in":"#,
                expires_in.format(self.expires_in),
                r#","expires_at":"#,
                expires_at.format(self.expires_at),
                r#","generation":"#,
                generation.format(self.generation),
                if self.stale {
                    ",\"stale\":true}\n"
                } else {
                    ",\"stale\":false}\n"
                },
            ],
        )
    }
}

// === impl ProfileReply ===

impl ProfileReply {
    /// The state shown by `view` at `now`.
    pub fn new(
        profile: &ProfileName,
        provider: &str,
        view: &View,
        requests: u64,
        now: Now,
    ) -> Self {
        let valid = view.valid(now.boot);
        let scope = view.held.as_ref().and_then(|held| held.scope.as_ref());
        let narrower = scope.filter(|scope| scope.is_narrower());
        let fault = |last: &Arc<LastFault>| FaultReply {
            kind: last.fault.kind,
            at: now.unix_of(last.at).seconds_down(),
            detail: last.fault.detail.clone(),
        };
        Self {
            profile: profile.as_str().to_owned(),
            provider: provider.to_owned(),
            phase: view.phase(now.boot),
            generation: view.generation,
            expires_in: valid.map(|held| held.validity.remaining(now.boot).as_secs()),
            expires_at: valid.map(|held| now.unix_of(held.validity.expires).seconds_down()),
            next_attempt_at: view.next_attempt.map(|at| now.unix_of(at).seconds_up()),
            queued_for: None,
            last_fault: view.last_fault.as_ref().map(fault),
            stored_credential_rejected: view.rejected_successor.as_ref().map(fault),
            reported: view.reported,
            cooling_down_until: view
                .cooling(now.boot)
                .map(|at| now.unix_of(at).seconds_up()),
            clock_skew: clock_skew(view, now),
            granted_scope: narrower.map(|scope| scope.granted.to_string()),
            missing_scope: narrower.map(|scope| scope.missing.to_string()),
            sinks: vec![],
            real_expiry_told: false,
            key: None,
            rotation: None,
            counts: Counts {
                requests,
                refreshes: view.refreshes,
                failures: view.failures,
                reports: view.reports,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf as _;

    use super::*;
    use crate::instant::{BootInstant, UnixTime};
    use crate::token::{AccessToken, LastAnswer, Validity};

    #[test]
    fn a_token_reply_is_one_line_of_json_in_a_buffer_that_never_grew() {
        let all: String = ('!'..='~').collect();
        let profile = "a".repeat(64);
        for (text, number, stale) in [
            ("aZ09-._~+/=".repeat(1_400), 0, false),
            (all, u64::MAX, true),
            ("\"\\".repeat(32_768), 7, false),
        ] {
            let token = AccessToken::parse(&text).unwrap();
            let reply = TokenReply {
                profile: &profile,
                token_in_json: token.expose_json(),
                token_type: "Bearer",
                expires_in: number,
                expires_at: number,
                generation: number,
                stale,
            };
            let line = reply.to_line();
            let members = serde_json::json!({
                "profile": profile, "access_token": text, "token_type": "Bearer", "expires_in": number,
                "expires_at": number, "generation": number, "stale": stale,
            });
            let read: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(read, members);
            assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
            assert_eq!(line.capacity(), line.len());
        }
    }

    #[test]
    fn a_line_that_is_shared_is_what_would_be_written_at_that_moment() {
        let ms = |ms| Duration::from_millis(ms);
        let at = |boot, unix| Now {
            boot: BootInstant::from_boot(ms(boot)),
            unix: UnixTime::from_epoch(ms(unix)),
        };
        let held = Held {
            token: AccessToken::parse("T0KEN").unwrap(),
            validity: Validity::new(at(0, 0).boot, Some(Duration::from_secs(3_600))),
            generation: 7,
            scope: None,
            last_answer: LastAnswer::default(),
        };
        let profile = ProfileName::parse("research").unwrap();
        let mut lines = std::collections::BTreeSet::new();
        for (boot, unix, stale) in [
            (1_500, 1_800_000_000_500, false),
            (1_700, 1_800_000_000_700, false),
            // It was reported as rejected.
            (1_800, 1_800_000_000_800, true),
            (1_900, 1_800_000_000_900, false),
            (2_500, 1_800_000_001_500, false),
            // The wall clock was set.
            (2_600, 1_700_000_000_000, false),
        ] {
            let now = at(boot, unix);
            let line = TokenReply::line(&profile, &held, stale, now);
            let line = line.clone().copy_to_bytes(line.remaining());
            assert_eq!(line, TokenReply::new(&profile, &held, stale, now).to_line());
            lines.insert(line);
        }
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn seconds_are_plain_decimals_in_their_range() {
        let max = MAX_MAX_WAIT;
        for (text, ms) in [
            ("0", 0),
            ("5", 5_000),
            ("0.25", 250),
            ("51.05000000037722", 51_050),
            ("60", 60_000),
            ("60.000", 60_000),
            ("007", 7_000),
        ] {
            assert_eq!(
                seconds(text, max),
                Some(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "NaN",
            "inf",
            "60.1",
            "61",
            "1,5",
            " 1",
            "1 ",
            "0x10",
            "1_0",
            "99999999999999999999",
            "0.123456789012345678901234567890123",
            "60.000000001",
            "1.2.3",
            "٣",
        ] {
            assert_eq!(seconds(bad, max), None, "{bad}");
        }
    }
}
