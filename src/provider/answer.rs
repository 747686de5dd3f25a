//! The answer of a token endpoint, judged without I/O: a token, or the kind of failure and a sentence about it.
//!
//! Strict about facts that decide (one JSON object, a token that fits into a header), lenient about others (the
//! spelling of a lifetime). An issuer's text is quoted only from the members that exist for it, never from the rest of
//! a body. A parser's error is never printed: it would quote its input.

use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use self::refusal::RefusalKind;
use super::expiry::ExpiryFacts;
use super::members::Members;
use super::quote::{TOKEN_MEMBERS, quote};
use crate::credential::Credential;
use crate::fault::{Fault, FaultKind};
use crate::instant::UnixTime;
use crate::token::{AccessToken, Grant};

mod envelope;
mod redirect;
mod refusal;
mod undecodable;
mod wait;

/// The relevant parts of an HTTP answer, unparsed.
pub struct IssuerResponse {
    /// The status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Date`.
    pub date: Option<String>,
    /// `Retry-After`; several fields are separated by line ends.
    pub retry_after: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// The name in `Content-Encoding`, if the body is still encoded. `None` for a plain body, and for one in gzip,
    /// which has been decoded.
    pub coding: Option<String>,
    /// Whether there is a `WWW-Authenticate`.
    pub is_challenge: bool,
    /// The body, wiped when it is freed. It may be empty unless the status is 200 or 201.
    pub body: Zeroizing<Vec<u8>>,
}

/// The spelling of an endpoint's members. Each endpoint may use either spelling, because gateways in front of a control
/// plane are known to translate. If an answer has both, the endpoint's own spelling wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `access_token`: OAuth 2.0 (RFC 6749 section 5.1), Run:ai's v2.
    Snake,
    /// `accessToken`: Run:ai's v1.
    Camel,
}

/// The request behind an answer: for messages, and to keep the secret out of them.
#[derive(Debug, Clone, Copy)]
pub struct RequestContext<'a> {
    /// `scheme://host:port` of the endpoint.
    pub at: &'a str,
    /// The credential that was sent.
    pub credential: &'a Credential,
    /// The type of the issuer's bearer tokens, if it is another word than Bearer.
    pub token_type: Option<&'a str>,
    /// Whether `{code, message}`, Run:ai's own `Error`, is a statement about the credential.
    pub has_vendor_errors: bool,
}

// === impl Answer ===

impl IssuerResponse {
    /// Reports whether the body claims to be JSON.
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

    /// Returns the answer with a readable body: bytes that are not UTF-8 are replaced. A token never contains such
    /// bytes.
    pub(super) fn decodable(mut self) -> Self {
        undecodable::mark(&mut self.body);
        self
    }

    /// Reports whether the body looks like JSON, whatever its type says.
    pub(super) fn is_json_like(&self) -> bool {
        self.has_json_in(&self.body)
    }

    /// Reports whether a body of this answer looks like JSON, by its beginning.
    pub(super) fn has_json_in(&self, body: &[u8]) -> bool {
        envelope::is_json_like(body, self.is_json())
    }

    /// Reports whether there is no token endpoint at the address: 404 or 405, or a 200 that is not JSON, since a
    /// single-page application answers every unknown path with its start page.
    pub fn is_absent(&self) -> bool {
        match self.status {
            404 | 405 => self.word(self.status, false) == RefusalKind::NotAnIssuer,
            200 | 201 => !self.is_json_like(),
            _ => false,
        }
    }

    /// Reports whether the body has an OAuth 2.0 error code (RFC 6749 section 5.2) other than `invalid_request`. Such a
    /// code means that the request was understood, and that something in it is wrong.
    pub fn is_understood(&self) -> bool {
        let code = self.members().and_then(|members| members.text("error"));
        code.is_some_and(|code| code.as_str() != "invalid_request")
    }

    /// Returns the time of the issuer's clock in the answer.
    pub fn server_date(&self) -> Option<UnixTime> {
        let since_epoch =
            wait::http_date(self.date.as_deref()?)?.duration_since(SystemTime::UNIX_EPOCH);
        since_epoch.ok().map(UnixTime::from_epoch)
    }

    /// Returns the token, or the reason why there is none.
    ///
    /// # Errors
    /// A [`Fault`] of any kind that an answer can have.
    pub fn into_grant(self, spelling: Spelling, asked: RequestContext<'_>) -> Result<Grant, Fault> {
        if !self.is_granting() {
            return Err(self.refusal(asked));
        }
        let at = asked.at;
        let malformed = |what: &str| {
            let fault = Fault::new(FaultKind::Malformed, format!("{at} answered {what}"));
            self.with_wait(fault)
        };
        if !self.is_json_like() && self.coding.is_none() {
            return Err(malformed(
                "with something other than JSON, so not with a token; is it the right address?",
            ));
        }
        let Some(members) = self.members() else {
            return Err(malformed(&self.unreadable()));
        };
        let pick = |snake, camel| match spelling {
            Spelling::Snake => members.raw(snake).or_else(|| members.raw(camel)),
            Spelling::Camel => members.raw(camel).or_else(|| members.raw(snake)),
        };
        let text = |raw| serde_json::from_str::<String>(raw).ok().map(Zeroizing::new);

        let is_vendors = asked.has_vendor_errors
            && refusal::is_vendor_error_of(&members, &["400", "401", "403"]);
        if envelope::is_refusal(&members) || is_vendors && !envelope::has_token(&members) {
            return Err(self.refusal(asked));
        }
        let Some(token) = pick("access_token", "accessToken").and_then(text) else {
            return Err(malformed("without a token"));
        };
        if envelope::tells_error(&members) {
            let said = said(&members, asked);
            return Err(malformed(&format!("with an error beside a token{said}")));
        }
        let kind =
            pick("token_type", "tokenType").map(|raw| envelope::bearer(raw, asked.token_type));
        if let Some(Err(other)) = kind {
            let tokens = [token];
            let quoted = |word: &str| quote(word, at, asked.credential, &tokens);
            return Err(malformed(&format!(
                "with a token {}",
                other.described(quoted)
            )));
        }
        let expiry = ExpiryFacts::read(pick, &token, self.server_date());
        if expiry.is_over {
            return Err(malformed(
                "with a token that had expired already by the issuer's own clock; does something in front of it cache old answers?",
            ));
        }
        match AccessToken::parse(&token) {
            Ok(token) => Ok(Grant {
                lifetime: expiry.lifetime(),
                stated: expiry.is_stated(),
                shown: expiry.shown,
                ..Grant::of(token)
            }),
            Err(why) => Err(malformed(&format!(
                "with a token that cannot be used: {why}"
            ))),
        }
    }

    /// Determines the fault for an answer without a token.
    fn refusal(&self, asked: RequestContext<'_>) -> Fault {
        let at = asked.at;
        // A gateway may turn a refusal into a success without a token.
        let status = if self.is_granting() { 400 } else { self.status };
        let members = self.members();
        let said = match (&members, &self.coding) {
            (Some(members), _) => said(members, asked),
            (None, Some(coding)) => format!(", in a coding that was not asked for ({coding})"),
            (None, None) => String::new(),
        };
        let (kind, what) = match status {
            300..400 => {
                let to = redirect::target(self.location.as_deref(), at, asked.credential);
                let what =
                    format!("answered with a redirect ({status}){to}, which is never followed");
                return self.with_wait(Fault::new(FaultKind::Redirect, format!("{at} {what}")));
            }
            400..500 => {
                let word = self.word(status, asked.has_vendor_errors);
                return self.with_wait(word.fault(at, self.status, &said));
            }
            500.. => (FaultKind::ServerError, "failed"),
            _ => (FaultKind::Malformed, "answered with an unexpected status"),
        };
        let what = format!("{at} {what} ({}){said}", self.status);
        self.with_wait(Fault::new(kind, what))
    }

    /// Says why the body is not readable JSON, to follow "answered".
    pub(super) fn unreadable(&self) -> String {
        match &self.coding {
            Some(coding) => format!("in a coding that was not asked for ({coding})"),
            None => "with malformed JSON".to_owned(),
        }
    }

    /// Adds the wait that the answer states to the fault. Any status may state one.
    fn with_wait(&self, fault: Fault) -> Fault {
        fault
            .with_retry_after(self.wait())
            .with_retry_at(self.wait_until())
    }

    /// Classifies the refusal as one with this status of 4xx.
    fn word(&self, status: u16, has_vendor_errors: bool) -> RefusalKind {
        let members = self.members();
        let members = members.as_ref();
        RefusalKind::of(status, self.is_challenge, members, has_vendor_errors)
    }

    /// Returns the members of a body that is one JSON object, whatever its type says.
    pub(super) fn members(&self) -> Option<Members<'_>> {
        Members::parse(envelope::text_of(&self.body))
    }

    /// Returns the error codes of all members, in the RFC's spelling.
    pub(super) fn codes(&self) -> Vec<Zeroizing<String>> {
        self.members()
            .map_or_else(Vec::new, |it| refusal::codes(&it))
    }

    /// Reports whether it is a 400, or a success that a gateway made of a 400.
    pub(super) fn is_bad_request(&self) -> bool {
        let is_refusal = |it: Members<'_>| {
            let is_vendors = refusal::is_vendor_error_of(&it, &["400"]);
            envelope::is_refusal(&it) || is_vendors && !envelope::has_token(&it)
        };
        self.status == 400 || self.is_granting() && self.members().is_some_and(is_refusal)
    }

    /// Reports whether the status is one that comes with a token.
    pub(super) const fn is_granting(&self) -> bool {
        matches!(self.status, 200 | 201)
    }

    /// Returns the wait in `Retry-After` (RFC 9110 section 10.2.3).
    pub fn wait(&self) -> Option<Duration> {
        wait::stated(self.retry_after.as_deref(), self.date.as_deref())
    }

    /// Returns the date in `Retry-After`, in Unix time, if the answer has no `Date` to compare it with.
    pub(super) fn wait_until(&self) -> Option<Duration> {
        wait::until(self.retry_after.as_deref(), self.date.as_deref())
    }
}

/// Formats `: "…"` with the issuer's text in either form: OAuth 2.0's `error` and `error_description`, or Run:ai's
/// `message` and `details`. Which form an endpoint uses when is not documented, so any endpoint may use any of them.
fn said(members: &Members<'_>, asked: RequestContext<'_>) -> String {
    let parts: Vec<_> = ["error", "error_description", "message", "details"]
        .into_iter()
        .filter_map(|name| members.text(name))
        .filter(|text| !text.is_empty())
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    let texts: Vec<_> = parts.iter().map(|text| text.as_str()).collect();
    let text = Zeroizing::new(texts.join(": "));
    let tokens: Vec<_> = TOKEN_MEMBERS
        .into_iter()
        .filter_map(|name| members.text(name))
        .collect();
    format!(": {}", quote(&text, asked.at, asked.credential, &tokens))
}

#[cfg(test)]
mod tests;
