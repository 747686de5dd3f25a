//! What a token endpoint answered, judged without I/O: a token, or the kind of failure and a sentence about it.
//!
//! Strict about what decides (one JSON object, a token that can go into a header), lenient about what does not (the
//! spelling of a lifetime). What an issuer says is quoted only from the members that exist for it, never from the
//! rest of a body, and a parser's error is never printed: it would quote what it read.

use std::time::{Duration, SystemTime};

use url::Url;
use zeroize::Zeroizing;

use super::lifetime;
use super::members::Members;
use super::quote::{TOKEN_MEMBERS, quote};
use crate::credential::Credential;
use crate::fault::{Fault, FaultKind};
use crate::instant::UnixTime;
use crate::token::{AccessToken, Grant};

/// The longest date that is parsed; RFC 9110 section 5.6.7 has forms of up to 33 characters.
const MAX_DATE: usize = 64;

/// An answer's parts that matter, as they came.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Date`.
    pub date: Option<String>,
    /// `Retry-After`, each in a line when there are several.
    pub retry_after: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// What `Content-Encoding` names, unless the body is as it is or was in gzip and is decoded.
    pub coding: Option<String>,
    /// The body, wiped when it is freed. It may be left empty unless the status is 200 and the type is JSON.
    pub body: Zeroizing<Vec<u8>>,
}

/// How an endpoint spells its members. Both spellings are understood from either, because gateways in front of a
/// control plane are known to translate; its own wins where an answer has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `access_token`: OAuth 2.0 (RFC 6749 section 5.1), Run:ai's v2.
    Snake,
    /// `accessToken`: Run:ai's v1.
    Camel,
}

/// An answer's questioner: for messages, and to keep the secret out of them.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `scheme://host:port` of the endpoint.
    pub at: &'a str,
    /// The credential that was sent.
    pub credential: &'a Credential,
}

// === impl Answer ===

impl Answer {
    /// Whether the body claims to be JSON.
    pub fn is_json(&self) -> bool {
        let kind = self.content_type.as_deref().unwrap_or_default();
        let kind = kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    }

    /// Whether there is no token endpoint at the address: 404, 405, or a 200 that is not JSON, since a single-page
    /// application answers every unknown path with its start page.
    pub fn is_absent(&self) -> bool {
        match self.status {
            404 | 405 => true,
            200 => !self.is_json(),
            _ => false,
        }
    }

    /// Whether the body gives an OAuth 2.0 error code (RFC 6749 section 5.2) other than `invalid_request`: the request
    /// was understood, and something in it is wrong.
    pub fn is_understood(&self) -> bool {
        let code = self.members().and_then(|members| members.text("error"));
        code.is_some_and(|code| code.as_str() != "invalid_request")
    }

    /// The issuer's clock at the answer.
    pub fn server_date(&self) -> Option<UnixTime> {
        let since_epoch = http_date(self.date.as_deref()?)?.duration_since(SystemTime::UNIX_EPOCH);
        since_epoch.ok().map(UnixTime::from_epoch)
    }

    /// The token, or why there is none.
    ///
    /// # Errors
    /// A [`Fault`] of any kind that an answer can have.
    pub fn into_grant(self, spelling: Spelling, asked: Asked<'_>) -> Result<Grant, Fault> {
        if self.status != 200 {
            return Err(self.refusal(asked));
        }
        let at = asked.at;
        let malformed = |what: &str| {
            let fault = Fault::new(FaultKind::Malformed, format!("{at} answered {what}"));
            self.asks_to_wait(fault)
        };
        if !self.is_json() {
            return Err(malformed(
                "with something other than JSON, so not with a token; is it the right address?",
            ));
        }
        let Some(members) = self.members() else {
            return Err(malformed(&self.unreadable()));
        };
        if members.raw("error").is_some() {
            let said = said(&members, asked);
            return Err(malformed(&format!(
                "200 with an error instead of a token{said}"
            )));
        }
        let pick = |snake, camel| match spelling {
            Spelling::Snake => members.raw(snake).or_else(|| members.raw(camel)),
            Spelling::Camel => members.raw(camel).or_else(|| members.raw(snake)),
        };
        let text = |raw| serde_json::from_str::<String>(raw).ok().map(Zeroizing::new);

        let Some(token) = pick("access_token", "accessToken").and_then(text) else {
            return Err(malformed("without a token"));
        };
        // Any other type is to be used in another way than as a bearer token (RFC 6749 section 7.1).
        if let Some(kind) = pick("token_type", "tokenType")
            && !text(kind).is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"))
        {
            return Err(malformed("with a token that is not a bearer token"));
        }
        let stated = pick("expires_in", "expiresIn").and_then(lifetime::stated);
        let lifetime = stated.or_else(|| lifetime::hint(&token));
        match AccessToken::parse(&token) {
            Ok(token) => Ok(Grant {
                token,
                lifetime,
                stated: stated.is_some(),
            }),
            Err(why) => Err(malformed(&format!(
                "with a token that cannot be used: {why}"
            ))),
        }
    }

    /// What a status other than 200 means.
    fn refusal(&self, asked: Asked<'_>) -> Fault {
        let (at, status) = (asked.at, self.status);
        let members = self.members();
        let said = match (&members, &self.coding) {
            (Some(members), _) => said(members, asked),
            (None, Some(coding)) => format!(", in a coding that was not asked for ({coding})"),
            (None, None) => String::new(),
        };
        let (kind, what) = match status {
            300..400 => {
                let to = self.redirect_target(asked);
                let what =
                    format!("answered with a redirect ({status}){to}, which is never followed");
                return self.asks_to_wait(Fault::new(FaultKind::Redirect, format!("{at} {what}")));
            }
            404 | 405 => {
                let what = format!("{at}: this address has no token endpoint ({status})");
                return self.asks_to_wait(Fault::no_endpoint(what));
            }
            429 => (FaultKind::RateLimited, "asked us to slow down"),
            408 | 425 | 500.. => (FaultKind::ServerError, "failed"),
            400..500 if members.is_some_and(|members| is_passing(&members)) => {
                (FaultKind::ServerError, "failed")
            }
            400..500 => (FaultKind::Rejected, "rejected the request for a token"),
            _ => (FaultKind::Malformed, "answered with an unexpected status"),
        };
        self.asks_to_wait(Fault::new(kind, format!("{at} {what} ({status}){said}")))
    }

    /// How it answered whose body is not the JSON that it should be, after "answered".
    pub(super) fn unreadable(&self) -> String {
        match &self.coding {
            Some(coding) => format!("in a coding that was not asked for ({coding})"),
            None => "with malformed JSON".to_owned(),
        }
    }

    /// The fault, with the wait that the answer states. Every status may state one.
    fn asks_to_wait(&self, fault: Fault) -> Fault {
        fault
            .with_retry_after(self.wait())
            .with_retry_at(self.wait_until())
    }

    pub(super) fn members(&self) -> Option<Members<'_>> {
        if self.is_json() {
            Members::parse(&self.body)
        } else {
            None
        }
    }

    /// `Retry-After` (RFC 9110 section 10.2.3). A date is taken relative to the answer's own `Date`: that needs no
    /// clock, and is right even if ours is not.
    pub fn wait(&self) -> Option<Duration> {
        let now = self.date.as_deref().and_then(http_date);
        let waits = self.waits().filter_map(|text| {
            if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
                // Only a number over the top does not parse; the schedule clamps it.
                return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
            }
            let wait = http_date(text)?.duration_since(now?);
            Some(wait.unwrap_or(Duration::ZERO))
        });
        waits.max()
    }

    /// The waits of all fields, of which the longest counts: with a gateway's beside the issuer's, or in a list of numbers,
    /// as some gateways join them.
    fn waits(&self) -> impl Iterator<Item = &str> {
        let fields = self.retry_after.as_deref().unwrap_or_default().lines();
        fields.flat_map(|field| {
            let is_date = field.bytes().any(|b| b.is_ascii_alphabetic());
            let parts = if is_date { 1 } else { usize::MAX };
            field.splitn(parts, ',').map(str::trim)
        })
    }

    /// The date in `Retry-After`, in Unix time, when the answer has no `Date` that it could be compared with.
    pub(super) fn wait_until(&self) -> Option<Duration> {
        if self.date.as_deref().and_then(http_date).is_some() {
            return None;
        }
        let date = self.waits().filter_map(http_date).max()?;
        date.duration_since(SystemTime::UNIX_EPOCH).ok()
    }

    /// ` to scheme://host:port` of the address in `Location`, when it names another one.
    fn redirect_target(&self, asked: Asked<'_>) -> String {
        let Some(url) = self
            .location
            .as_deref()
            .and_then(|text| Url::parse(text).ok())
        else {
            return String::new();
        };
        let port = url
            .port()
            .map_or_else(String::new, |port| format!(":{port}"));
        let target = format!(
            "{}://{}{port}",
            url.scheme(),
            url.host_str().unwrap_or_default()
        );
        format!(" to {}", quote(&target, asked.at, asked.credential, &[]))
    }
}

/// `: "…"` of what the issuer says, in either shape: OAuth 2.0's `error` and `error_description`, Run:ai's `message`
/// and `details`. Which of them an endpoint uses for what is not documented, so each may come from any.
fn said(members: &Members<'_>, asked: Asked<'_>) -> String {
    let parts: Vec<_> = ["error", "error_description", "message", "details"]
        .into_iter()
        .filter_map(|name| members.text(name))
        .filter(|text| !text.is_empty())
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    let text = Zeroizing::new(
        parts
            .iter()
            .map(|text| text.as_str())
            .collect::<Vec<_>>()
            .join(": "),
    );
    let tokens: Vec<_> = TOKEN_MEMBERS
        .into_iter()
        .filter_map(|name| members.text(name))
        .collect();
    format!(": {}", quote(&text, asked.at, asked.credential, &tokens))
}

/// Whether the OAuth 2.0 error code says that the issuer is in trouble, whatever the status says.
fn is_passing(members: &Members<'_>) -> bool {
    let code = members.text("error");
    code.is_some_and(|code| matches!(code.as_str(), "server_error" | "temporarily_unavailable"))
}

fn http_date(text: &str) -> Option<SystemTime> {
    if text.len() > MAX_DATE {
        return None;
    }
    httpdate::parse_http_date(text.trim()).ok()
}

#[cfg(test)]
mod tests;
