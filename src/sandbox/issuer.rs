//! The issuer: who may have a token, which tokens are valid, which fault is in force. It decides from arguments
//! alone; clocks and sockets are elsewhere.

use std::collections::VecDeque;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{DATE, HeaderValue};

use super::answer::{self, Answer};
use super::fault::{Fault, TOKEN_PLACEHOLDER};
use super::grant::{self, Refusal};
use super::jwt;
use super::ledger::{self, Ledger};
use super::line::{Api, Line};
use super::moment::Moment;
use super::record::{Seen, Stats};
use super::{Options, UnknownPath};
use crate::credential::ClientSecret;

/// A `POST` to a token path, read from the wire.
#[derive(Debug)]
pub(super) struct TokenRequest<'a> {
    pub(super) api: Api,
    pub(super) path: &'a str,
    pub(super) content_type: Option<&'a str>,
    pub(super) header_names: Vec<String>,
    pub(super) body: &'a [u8],
}

/// The issuer's state.
#[derive(Debug)]
pub(super) struct Issuer {
    line: Line,
    unknown_path: UnknownPath,
    /// The address in the tokens' `iss`.
    url: String,
    client_id: String,
    client_secret: ClientSecret,
    ledger: Ledger,
    seen: VecDeque<Seen>,
    fault: Option<InForce>,
    stats: Stats,
}

#[derive(Debug)]
struct InForce {
    fault: Fault,
    /// For how many more token requests; none means until it is changed.
    left: Option<u64>,
}

impl Issuer {
    pub(super) fn new(options: Options, url: String) -> Self {
        Self {
            line: options.line,
            unknown_path: options.unknown_path,
            url,
            client_id: options.client_id,
            client_secret: options.client_secret,
            ledger: Ledger::new(options.token_life),
            seen: VecDeque::new(),
            fault: None,
            stats: Stats::default(),
        }
    }

    /// Answers a token request, and tells the fault that decides how the answer is delivered.
    pub(super) fn token(
        &mut self,
        request: TokenRequest<'_>,
        now: Moment,
    ) -> (Option<Fault>, Answer) {
        let TokenRequest {
            api,
            path,
            content_type,
            header_names,
            body,
        } = request;
        let reading = grant::read(self.line, api, content_type, body);
        self.stats.token_requests += 1;
        ledger::remember(
            &mut self.seen,
            Seen {
                path: path.to_owned(),
                content_type: content_type.map(str::to_owned),
                header_names,
                field_names: reading.field_names,
            },
        );
        let fault = self.take_fault(self.line.has(api));
        self.stats.faulted += u64::from(fault.is_some());
        let answer = match &fault {
            None
            | Some(
                Fault::Slow(_)
                | Fault::Drip(_)
                | Fault::Reset
                | Fault::HangBody
                | Fault::HangHeaders
                | Fault::Truncated,
            ) => self.usual(api, reading.credential, now),
            Some(Fault::Revoke) => {
                let granted = self.stats.granted;
                let answer = self.usual(api, reading.credential, now);
                if self.stats.granted > granted {
                    self.ledger.revoke_newest();
                }
                answer
            }
            Some(Fault::Skew(seconds)) => {
                let shown = now.skewed(*seconds);
                let answer = self.usual(api, reading.credential, shown);
                match HeaderValue::try_from(shown.http_date(Duration::ZERO)) {
                    Ok(date) => answer::with(answer, DATE, date),
                    Err(_) => answer,
                }
            }
            Some(Fault::InvalidClient) => self.refuse(api, Refusal::Client),
            Some(Fault::Answer { status, body }) => self.canned(*status, body, now),
            Some(fault) => answer::instead(fault, now),
        };
        (fault, answer)
    }

    /// The answer as it is without a fault.
    fn usual(
        &mut self,
        api: Api,
        credential: Result<crate::credential::Credential, Refusal>,
        now: Moment,
    ) -> Answer {
        if !self.line.has(api) {
            return self.unknown_path();
        }
        let credential = match credential {
            Ok(credential) => credential,
            Err(refusal) => return self.refuse(api, refusal),
        };
        if credential.client_id != self.client_id || credential.client_secret != self.client_secret
        {
            return self.refuse(api, Refusal::Client);
        }
        match self.issue(now) {
            Ok(token) => answer::granted(self.line, api, &token, self.ledger.life().as_secs()),
            Err(_) => answer::error(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn refuse(&mut self, api: Api, refusal: Refusal) -> Answer {
        self.stats.rejected += 1;
        answer::refused(api, refusal)
    }

    /// The text of a fault as an answer, with a token where it asks for one.
    fn canned(&mut self, status: u16, body: &str, now: Moment) -> Answer {
        let body = if body.contains(TOKEN_PLACEHOLDER) {
            match self.issue(now) {
                Ok(token) => body.replace(TOKEN_PLACEHOLDER, &token),
                Err(_) => return answer::error(StatusCode::INTERNAL_SERVER_ERROR),
            }
        } else {
            body.to_owned()
        };
        answer::plain(answer::status_of(status), "application/json", body)
    }

    fn issue(&mut self, now: Moment) -> Result<String, getrandom::Error> {
        let token = jwt::mint(&self.url, &self.client_id, now, self.ledger.life())?;
        self.ledger.enter(&token, now);
        self.stats.granted += 1;
        Ok(token)
    }

    /// Whether the `Authorization` header carries a valid token of ours (RFC 6750 section 2.1); it is counted.
    pub(super) fn admits(&mut self, authorization: Option<&str>, now: Moment) -> bool {
        let valid = authorization
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .is_some_and(|(_, token)| self.ledger.is_valid(token, now));
        if valid {
            self.stats.resource_ok += 1;
        } else {
            self.stats.resource_unauthorized += 1;
        }
        valid
    }

    /// The answer on a path that the line does not have.
    pub(super) fn unknown_path(&self) -> Answer {
        match self.unknown_path {
            UnknownPath::Html => answer::web_page(),
            UnknownPath::NotFound => answer::error(StatusCode::NOT_FOUND),
        }
    }

    /// The fault for this token request, one request less of it left.
    fn take_fault(&mut self, has_endpoint: bool) -> Option<Fault> {
        let in_force = self.fault.as_mut()?;
        if in_force.fault.is_of_the_endpoint() && !has_endpoint {
            return None;
        }
        let fault = in_force.fault.clone();
        if let Some(left) = &mut in_force.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.fault = None;
            }
        }
        Some(fault)
    }

    /// Puts a fault in force, for the next `requests` token requests or until it is changed.
    pub(super) fn set_fault(&mut self, fault: Option<Fault>, requests: Option<u64>) {
        self.fault = fault.filter(|_| requests != Some(0)).map(|fault| InForce {
            fault,
            left: requests,
        });
    }

    /// The fault in force.
    pub(super) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref().map(|in_force| &in_force.fault)
    }

    pub(super) fn set_secret(&mut self, secret: ClientSecret) {
        self.client_secret = secret;
    }

    pub(super) fn revoke_all(&mut self) {
        self.ledger.revoke_all();
    }

    pub(super) const fn line(&self) -> Line {
        self.line
    }

    pub(super) const fn stats(&self) -> Stats {
        self.stats
    }

    pub(super) fn issued(&self) -> Vec<String> {
        self.ledger.issued().map(str::to_owned).collect()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.iter().cloned().collect()
    }
}
