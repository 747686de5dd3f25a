//! The reasons why addresses gave no token endpoint, and the choice of the one to report.

use url::Url;

use crate::config::oauth2::EndpointUrl;
use crate::fault::{Fault, FaultKind};
use crate::provider::answer::IssuerResponse;

/// The reason why an address gave no token endpoint.
#[derive(Debug)]
pub(super) struct NoEndpoint {
    pub(super) telling: Informativeness,
    /// A short form of the reason, for a list.
    brief: String,
    pub(super) fault: Fault,
}

/// The information in a reason, the least informative first. An address without a document says little if another
/// address has a more specific problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Informativeness {
    /// There is nothing at this address.
    Absent,
    /// There is something, but not a document.
    NoDocument,
    /// The address failed, and may return a document later.
    Failed,
    /// A document of another issuer.
    OtherIssuer,
    /// A document of an issuer that is most likely the intended one.
    SimilarIssuer,
    /// This issuer's document, which is not usable.
    Unusable,
    /// The other addresses must not be requested now, or would fail in the same way.
    Stop,
}

// === impl Unfound ===

impl NoEndpoint {
    /// Creates the reason for a document that is not accepted.
    pub(super) fn document(telling: Informativeness, url: &Url, what: &str) -> Self {
        let brief = match telling {
            Informativeness::OtherIssuer | Informativeness::SimilarIssuer => "another issuer",
            _ => "no usable document",
        };
        let what = format!("the discovery document at {url} {what}");
        Self {
            telling,
            brief: brief.to_owned(),
            fault: Fault::new(FaultKind::Malformed, what),
        }
    }

    /// Creates the reason for a missing or incomplete answer.
    pub(super) fn unanswered(fault: Fault) -> Self {
        let (telling, brief) = match fault.kind {
            FaultKind::Timeout => (Informativeness::Failed, "no answer in time"),
            FaultKind::Reset => (Informativeness::Failed, "the connection broke"),
            FaultKind::Malformed => (Informativeness::NoDocument, "no HTTP"),
            FaultKind::InterimAnswers => (Informativeness::Failed, "too many interim answers"),
            FaultKind::TooLarge => (Informativeness::NoDocument, "too large"),
            // All addresses are on one server.
            _ => (Informativeness::Stop, ""),
        };
        Self {
            telling,
            brief: brief.to_owned(),
            fault,
        }
    }

    /// Creates the reason for an answer without a document. Texts from the server are not passed on.
    pub(super) fn answered(answer: &IssuerResponse, url: &Url, issuer: &EndpointUrl) -> Self {
        let status = answer.status;
        let failed = |kind, what: &str| Fault::new(kind, format!("{url} {what}"));
        let (telling, fault) = match status {
            200 => (
                Informativeness::NoDocument,
                failed(
                    FaultKind::Malformed,
                    "answered with something other than JSON, so not with a discovery document; is it the right issuer?",
                ),
            ),
            300..400 => (
                Informativeness::NoDocument,
                failed(
                    FaultKind::Redirect,
                    &format!(
                        "answered with a redirect ({status}) instead of a discovery document, which is never followed"
                    ),
                ),
            ),
            429 => (
                Informativeness::Stop,
                failed(
                    FaultKind::RateLimited,
                    &format!("asked to slow down ({status})"),
                ),
            ),
            408 | 425 | 500.. => (
                Informativeness::Failed,
                failed(
                    FaultKind::ServerError,
                    &format!("failed to give a discovery document ({status})"),
                ),
            ),
            400..500 => (
                Informativeness::Absent,
                Fault::no_endpoint(format!(
                    "{url} has no discovery document for this issuer ({status}): is the issuer written as it should be, {}? Else set token-url",
                    issuer.as_str()
                )),
            ),
            _ => (
                Informativeness::NoDocument,
                failed(
                    FaultKind::Malformed,
                    &format!(
                        "answered with an unexpected status ({status}) instead of a discovery document"
                    ),
                ),
            ),
        };
        let fault = fault.with_retry_after(answer.wait());
        let fault = fault.with_retry_at(answer.wait_until());
        // The next address would be requested within the stated wait.
        let telling = if fault.states_a_wait() {
            Informativeness::Stop
        } else {
            telling
        };
        let brief = match status {
            200 => "no JSON".to_owned(),
            _ => status.to_string(),
        };
        Self {
            telling,
            brief,
            fault,
        }
    }
}

/// Returns the most informative reason, with the others in a list. Among equals, the first one wins.
pub(super) fn most_telling(unfound: Vec<(Url, NoEndpoint)>) -> Fault {
    let first_of = |best: Option<usize>, at: usize| {
        let telling = |at: usize| unfound.get(at).map(|(_, it)| it.telling);
        match best {
            Some(best) if telling(best) >= telling(at) => Some(best),
            _ => Some(at),
        }
    };
    let best = (0..unfound.len()).fold(None, first_of);
    let others = unfound.iter().enumerate();
    let others = others.filter(|(at, _)| Some(*at) != best);
    let others: Vec<_> = others
        .map(|(_, (url, it))| format!("{} ({})", url.path(), it.brief))
        .collect();
    let told = best.and_then(|best| unfound.into_iter().nth(best));
    let Some((_, NoEndpoint { mut fault, .. })) = told else {
        return Fault::no_endpoint("there is nowhere to look");
    };
    if !others.is_empty() {
        fault.detail = format!("{}; asked as well: {}", fault.detail, others.join(", "));
    }
    fault
}
