//! Local interface: its paths, the form of its answers, and the limits of its requests.

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
use crate::lifecycle::{HeldToken, LastFault, Phase, View};
use crate::profile::ProfileName;
use crate::token::{self, Pieces};
use rotation::{KeyReply, RotationReply};

pub use reject::Rejected;
pub use seconds::seconds;
pub use sink::{SinkReply, SinkState};

/// Largest body of a request to `/v1/helper` and of its answer, in bytes.
pub const MAX_FRAME: usize = 256 * 1024;

/// Largest body of any other request, in bytes.
pub const MAX_BODY: usize = 16 * 1024;

/// Largest validity that a caller may ask for (`min_valid`).
pub const MAX_MIN_VALID: Duration = Duration::from_secs(86_400);

/// Longest wait that a caller may ask for (`max_wait`).
pub const MAX_MAX_WAIT: Duration = Duration::from_secs(60);

/// A larger difference between the issuer's clock and ours is reported to the user: the check of certificates depends
/// on a correct clock, and so do the times that we show.
pub const SKEW_LIMIT: Duration = Duration::from_secs(60);

/// Wait of a caller that states none.
pub const DEFAULT_MAX_WAIT: Duration = Duration::from_secs(5);

/// Buffers for the numbers in an answer.
type Digits = [itoa::Buffer; 3];

/// The reply to a token request.
pub struct TokenReply<'a> {
    /// The profile.
    pub profile: &'a str,
    /// The token as in a JSON string, without the quotes. This field exposes the secret.
    pub token_in_json: &'a str,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Whole seconds for which the token is still served.
    pub expires_in: u64,
    /// Until when the token is served, in Unix seconds.
    pub expires_at: u64,
    /// The token's generation.
    pub generation: u64,
    /// Whether the token has less validity left than requested, or was reported as rejected.
    pub stale: bool,
}

/// A profile's state, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileReply {
    /// The profile.
    pub profile: String,
    /// The kind of its provider, as in the configuration.
    pub provider: String,
    /// The phase, as shown to users.
    pub phase: Phase,
    /// The generation of the token.
    pub generation: u64,
    /// Whole seconds for which the token is still served.
    pub expires_in: Option<u64>,
    /// Until when the token is served, in Unix seconds.
    pub expires_at: Option<u64>,
    /// When the next attempt is due, in Unix seconds. Absent while one runs or the profile rests.
    pub next_attempt_at: Option<u64>,
    /// Whole seconds for which an attempt has waited for its turn at the issuer. Absent if none waits.
    #[serde(default)]
    pub queued_for: Option<u64>,
    /// The last fault. It is kept after a success.
    pub last_fault: Option<FaultReply>,
    /// Why the issuer rejects the stored credential, while the former one stays in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_credential_rejected: Option<FaultReply>,
    /// Why the configuration or the stored credential cannot be used: nothing is sent, or what was read before stays in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
    /// Whether its token was reported as rejected, and no newer one is held yet.
    #[serde(default)]
    pub reported: bool,
    /// Until when reports cause no refresh, in Unix seconds, because fresh tokens keep being reported.
    #[serde(default)]
    pub cooling_down_until: Option<u64>,
    /// Seconds by which the issuer's clock is ahead of this machine's, or behind if negative. Absent if the issuer has
    /// not stated its time.
    #[serde(default)]
    pub clock_skew: Option<i64>,
    /// The scope that the issuer granted, if it is narrower than the one in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_scope: Option<String>,
    /// The part of the configured scope that the issuer did not grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_scope: Option<String>,
    /// The files that the token is written to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkReply>,
    /// Whether a tool's client got the real expiry of the token, because a refresh in time is not certain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub real_expiry_told: bool,
    /// The age of the key, and its next rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyReply>,
    /// The open rotation of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationReply>,
    /// Counts since the daemon has kept the profile.
    pub counts: Counts,
}

/// A fault, as shown in the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReply {
    /// The kind of the fault.
    pub kind: FaultKind,
    /// When it occurred, in Unix seconds.
    pub at: u64,
    /// One sentence for users.
    pub detail: String,
}

/// Counts of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests for its token.
    pub requests: u64,
    /// Attempts that returned a token.
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

/// Identity of the running daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionReply {
    /// The version of the running program.
    pub version: String,
    /// Whether the program's file was replaced since the start, so that a restart would run another program. Absent on
    /// a system that does not report it.
    pub binary_replaced: Option<bool>,
}

/// Returns the seconds by which the issuer's clock is ahead of ours.
pub fn clock_skew(view: &View, now: Now) -> Option<i64> {
    let clock = view.issuer_clock.as_ref()?;
    Some(clock.ahead_of(now.boot, now.unix))
}

// === impl TokenReply ===

impl<'a> TokenReply<'a> {
    /// Creates the answer that contains `held` at `now`.
    pub fn new(profile: &'a ProfileName, held: &'a HeldToken, stale: bool, now: Now) -> Self {
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

    /// As [`TokenReply::to_line`], but made once for all callers that ask for this token in the same second. Under
    /// load, making the line is most of the work of an answer.
    pub fn line(profile: &'a ProfileName, held: &'a HeldToken, stale: bool, now: Now) -> Pieces {
        let reply = Self::new(profile, held, stale, now);
        let shows = (reply.expires_in, reply.expires_at, stale);
        held.last_answer.expose_or_make(shows, || {
            let mut digits = Digits::default();
            let (before, after) = reply.around_token(&mut digits);
            token::around_in_json(before.concat(), &held.token, after.concat())
        })
    }

    /// Returns the answer as a line of JSON. The profile's name contains no character that JSON escapes, and the token
    /// is already in JSON form, so both are copied unchanged. The buffer has its final size, because a growing one
    /// leaves copies of the token behind.
    pub fn to_line(&self) -> Vec<u8> {
        let mut digits = Digits::default();
        let (before, after) = self.around_token(&mut digits);
        let [a, b, c] = before;
        let [d, e, f, g, h, i, j, k, l] = after;
        [a, b, c, self.token_in_json, d, e, f, g, h, i, j, k, l]
            .concat()
            .into_bytes()
    }

    /// Returns the parts of the line before and after the token.
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
    /// Creates the state that `view` shows at `now`.
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
            unusable: match &view.block {
                Some(block) => Some(block.to_string()),
                None => view.unusable.as_deref().map(str::to_owned),
            },
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
    fn a_token_reply_is_one_json_line_written_without_reallocation() {
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
    fn a_cached_token_line_equals_a_newly_written_one() {
        let ms = |ms| Duration::from_millis(ms);
        let at = |boot, unix| Now {
            boot: BootInstant::from_boot(ms(boot)),
            unix: UnixTime::from_epoch(ms(unix)),
        };
        let held = HeldToken {
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
            // The token was reported as rejected.
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
