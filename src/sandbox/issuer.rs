//! The issuer: applies the fault in force to the tenant's answers.
//!
//! Its decisions depend only on its arguments; clocks and sockets are elsewhere.

use std::collections::VecDeque;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{DATE, HeaderValue};

use super::answer::{self, Answer};
use super::endpoint::{Api, Endpoint};
use super::fault::{Fault, TOKEN_PLACEHOLDER};
use super::grant::{self, Refusal};
use super::jwt::Bearer;
use super::ledger;
use super::moment::Moment;
use super::options::{Options, UnknownPath};
use super::pending::Pending;
use super::record::{Stats, TokenRequestForm};
use super::switch::ActiveFault;
use super::tenant::Tenant;
use crate::credential::Credential;

/// A parsed `POST` to a token path.
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
    pub(super) tenant: Tenant,
    pub(super) switch: ActiveFault,
    unknown_path: UnknownPath,
    seen: VecDeque<TokenRequestForm>,
    pub(super) stats: Stats,
    /// The changes of keys that are executed later.
    pub(super) pending: Vec<Pending>,
}

impl Issuer {
    pub(super) fn new(options: Options, url: String, now: Moment) -> Self {
        Self {
            unknown_path: options.unknown_path,
            tenant: Tenant::new(options, url, now),
            switch: ActiveFault::default(),
            seen: VecDeque::new(),
            stats: Stats::default(),
            pending: Vec::new(),
        }
    }

    /// Answers a token request. Also returns the fault that decides how the answer is delivered.
    pub(super) fn token(
        &mut self,
        request: TokenRequest<'_>,
        now: Moment,
    ) -> (Option<Fault>, Answer) {
        let now = self.shown(now);
        let TokenRequest {
            api,
            path,
            content_type,
            header_names,
            body,
        } = request;
        let reading = grant::read(self.tenant.line, api, content_type, body);
        self.stats.token_requests += 1;
        ledger::remember(
            &mut self.seen,
            TokenRequestForm {
                path: path.to_owned(),
                content_type: content_type.map(str::to_owned),
                header_names,
                field_names: reading.field_names,
            },
        );
        let has_endpoint = self.tenant.line.has(Endpoint::Token(api));
        let fault = self.switch.take(|fault| fault.of_tokens(has_endpoint));
        self.stats.faulted += u64::from(fault.is_some());
        let credential = reading.credential;
        let answer = match &fault {
            Some(Fault::Revoke) => {
                let granted = self.stats.granted;
                let answer = self.usual(api, credential, Bearer::Plain, now);
                if self.stats.granted > granted {
                    self.tenant.ledger.revoke_newest();
                }
                answer
            }
            Some(Fault::SameToken) => self.same(api, credential, now),
            Some(Fault::NonAscii) => self.usual(api, credential, Bearer::NonAscii, now),
            Some(Fault::Skew(seconds)) => {
                let shown = now.skewed(*seconds);
                dated(self.usual(api, credential, Bearer::Plain, shown), shown)
            }
            Some(Fault::InvalidClient) => self.refuse(api, Refusal::Client),
            Some(Fault::Answer { status, body }) => self.canned(*status, body, now),
            Some(fault) if !fault.lets_through() => answer::instead(fault, now),
            _ => self.usual(api, credential, Bearer::Plain, now),
        };
        (fault, self.stamped(answer, now))
    }

    /// Adjusts an answer that is not from an endpoint. Only the fault of the clock affects it, since a server has one
    /// clock for all answers.
    pub(super) fn elsewhere(&self, answer: Answer, now: Moment) -> Answer {
        let now = self.shown(now);
        match self.switch.fault() {
            Some(Fault::Skew(seconds)) => dated(answer, now.skewed(*seconds)),
            _ => self.stamped(answer, now),
        }
    }

    /// Returns the moment as the server's clock shows it.
    pub(super) fn shown(&self, now: Moment) -> Moment {
        now.skewed(self.tenant.conduct.clock)
    }

    /// Adds the `Date` to an answer if the server's clock is off and no fault has set it already.
    pub(super) fn stamped(&self, answer: Answer, shown: Moment) -> Answer {
        if self.tenant.conduct.clock == 0 || answer.headers().contains_key(DATE) {
            answer
        } else {
            dated(answer, shown)
        }
    }

    /// Returns the answer without a fault.
    fn usual(
        &mut self,
        api: Api,
        credential: Result<Credential, Refusal>,
        bearer: Bearer,
        now: Moment,
    ) -> Answer {
        if !self.tenant.line.has(Endpoint::Token(api)) {
            return self.unknown_path();
        }
        let granted = match credential {
            Ok(credential) => self.tenant.grant(&credential, bearer, now),
            Err(refusal) => Ok(Err(refusal)),
        };
        match granted {
            Ok(Ok(token)) => {
                self.stats.granted += 1;
                let life = self.tenant.ledger.life().as_secs();
                answer::granted(self.tenant.line, api, &token, life)
            }
            Ok(Err(refusal)) => self.refuse(api, refusal),
            Err(_) => answer::error(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Answers with the last granted token while it is valid.
    fn same(&mut self, api: Api, credential: Result<Credential, Refusal>, now: Moment) -> Answer {
        let newest = credential
            .as_ref()
            .ok()
            .and_then(|credential| self.tenant.newest(credential, now));
        match newest {
            Some((token, left)) => {
                self.stats.granted += 1;
                answer::granted(self.tenant.line, api, &token, left.as_secs())
            }
            None => self.usual(api, credential, Bearer::Plain, now),
        }
    }

    fn refuse(&mut self, api: Api, refusal: Refusal) -> Answer {
        self.stats.rejected += 1;
        answer::refused(api, refusal)
    }

    /// Answers with the text of a fault, and replaces its placeholder with a token.
    fn canned(&mut self, status: u16, body: &str, now: Moment) -> Answer {
        let body = if body.contains(TOKEN_PLACEHOLDER) {
            match self.tenant.issue("canned", "", Bearer::Plain, now) {
                Ok(token) => {
                    self.stats.granted += 1;
                    body.replace(TOKEN_PLACEHOLDER, &token)
                }
                Err(_) => return answer::error(StatusCode::INTERNAL_SERVER_ERROR),
            }
        } else {
            body.to_owned()
        };
        answer::canned(status, body)
    }

    /// Returns the answer for a path that the line does not have.
    pub(super) fn unknown_path(&self) -> Answer {
        match self.unknown_path {
            UnknownPath::Html => answer::web_page(),
            UnknownPath::NotFound => answer::error(StatusCode::NOT_FOUND),
        }
    }

    pub(super) const fn stats(&self) -> Stats {
        self.stats
    }

    pub(super) fn seen(&self) -> Vec<TokenRequestForm> {
        self.seen.iter().cloned().collect()
    }
}

/// Sets the `Date` of an answer to this moment.
fn dated(answer: Answer, shown: Moment) -> Answer {
    match HeaderValue::try_from(shown.http_date(Duration::ZERO)) {
        Ok(date) => answer::with(answer, DATE, date),
        Err(_) => answer,
    }
}
