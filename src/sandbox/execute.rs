//! Executes all requests except token requests: at once or later, once or twice, as the fault in force says.

use hyper::{Method, StatusCode};
use serde_json::{Map, Value};

use super::answer::{self, Answer};
use super::endpoint::Endpoint;
use super::fault::{Execution, Fault, SecretFault};
use super::issuer::Issuer;
use super::moment::Moment;
use super::pending::{MAX_PENDING, Pending};
use super::tenant::Request;

impl Issuer {
    /// Answers a request to an endpoint that the line has, by a method that the endpoint has. Also returns the fault
    /// that decides how the answer is delivered.
    pub(super) fn resource(
        &mut self,
        request: &Request<'_>,
        authorization: Option<&str>,
        now: Moment,
    ) -> (Option<Fault>, Answer) {
        let now = self.shown(now);
        let (fault, answer) = self.faulted(request, authorization, now);
        (fault, self.stamped(answer, now))
    }

    fn faulted(
        &mut self,
        request: &Request<'_>,
        authorization: Option<&str>,
        now: Moment,
    ) -> (Option<Fault>, Answer) {
        let writes = request.method != Method::GET;
        let fault = self.switch.take(|fault| match writes {
            true => fault.of_keys(),
            false => fault.of_reads(),
        });
        self.stats.faulted += u64::from(fault.is_some());
        if let Some(fault) = fault.as_ref().filter(|fault| !fault.lets_through()) {
            return (Some(fault.clone()), answer::instead(fault, now));
        }
        let Some(bearer) = self.tenant.admits(authorization, now) else {
            self.stats.resource_unauthorized += 1;
            return (fault, answer::error(StatusCode::UNAUTHORIZED));
        };
        self.stats.resource_ok += 1;
        match fault {
            Some(Fault::Late { after, answer }) => {
                self.postpone(Pending::new(request, bearer, now, after));
                // to the client, a request that is executed late looks like a lost request
                let fault = answer.map_or(Fault::Swallow, |fault| *fault);
                let answer = answer::instead(&fault, now);
                (Some(fault), answer)
            }
            Some(Fault::Again(after)) => {
                let answer = self.execute(&bearer, request, now);
                self.postpone(Pending::new(request, bearer, now, after));
                (None, answer)
            }
            Some(Fault::Twice(told)) => {
                let first = self.execute(&bearer, request, now);
                let last = self.execute(&bearer, request, now);
                let answer = match told {
                    Execution::First => first,
                    Execution::Last => last,
                };
                (None, answer)
            }
            Some(Fault::Executed(fault)) => {
                let answer = self.execute(&bearer, request, now);
                if !answer.status().is_success() {
                    return (None, answer);
                }
                let answer = match *fault {
                    Fault::Hang => answer,
                    ref fault if fault.lets_through() => answer,
                    ref fault => answer::instead(fault, now),
                };
                (Some(*fault), answer)
            }
            Some(Fault::Secret(fault)) => {
                let answer = self.execute(&bearer, request, now);
                (None, without_secret(answer, fault))
            }
            fault => {
                let answer = self.execute(&bearer, request, now);
                (fault, answer)
            }
        }
    }

    /// Executes the pending requests that are due.
    pub(super) fn catch_up(&mut self, now: Moment) {
        // one at a time, the earliest first
        while let Some(next) = (0..self.pending.len())
            .filter(|n| self.pending.get(*n).is_some_and(|p| p.due.mono <= now.mono))
            .min_by_key(|n| self.pending.get(*n).map(|p| p.due.mono))
        {
            let pending = self.pending.remove(next);
            if let Some(request) = pending.request() {
                // the client no longer waits for the answer
                let _ = self.execute(&pending.bearer, &request, pending.due);
            }
        }
    }

    fn postpone(&mut self, pending: Pending) {
        if self.pending.len() < MAX_PENDING {
            self.pending.push(pending);
        }
    }

    fn execute(&mut self, bearer: &str, request: &Request<'_>, now: Moment) -> Answer {
        let answer = self.tenant.answer(bearer, request, now);
        if answer.status().is_success() {
            let done = u64::from(request.method != Method::GET);
            match (request.endpoint, &request.method) {
                (Endpoint::Keys(_), _) => self.stats.keys_created += done,
                (Endpoint::KeySecret(..), _) => self.stats.keys_regenerated += done,
                (Endpoint::Key(..), &Method::DELETE) => self.stats.keys_deleted += done,
                _ => {}
            }
        }
        answer
    }
}

/// Replaces or removes a new secret in the answer.
fn without_secret(answer: Answer, fault: SecretFault) -> Answer {
    let Ok(mut body) = serde_json::from_slice::<Map<String, Value>>(answer.body()) else {
        return answer;
    };
    for name in ["secret", "clientSecret"] {
        let instead = match fault {
            SecretFault::Missing => None,
            SecretFault::Empty => Some("".into()),
            SecretFault::Null => Some(Value::Null),
        };
        if body.remove(name).is_some()
            && let Some(instead) = instead
        {
            body.insert(name.to_owned(), instead);
        }
    }
    answer::json(answer.status(), &body.into())
}
