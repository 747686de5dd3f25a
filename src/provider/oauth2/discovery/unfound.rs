//! Why addresses gave no token endpoint, and which of the reasons is told.

use url::Url;

use crate::config::oauth2::EndpointUrl;
use crate::fault::{Fault, FaultKind};
use crate::provider::answer::Answer;

/// Why an address gave no token endpoint.
#[derive(Debug)]
pub(super) struct Unfound {
    pub(super) telling: Telling,
    /// The same in a word or two, for a list.
    brief: String,
    pub(super) fault: Fault,
}

/// How much the reason tells, the least first. That there is nothing at one address says little while another one has
/// something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Telling {
    /// There is nothing at this address.
    Absent,
    /// There is something, and it is no document.
    NoDocument,
    /// The address failed, and may give a document later.
    Failed,
    /// A document of another issuer.
    OtherIssuer,
    /// A document of an issuer that is most likely the one that is meant.
    SimilarIssuer,
    /// This issuer's document, which cannot be used.
    Unusable,
    /// The other addresses must not be asked now, or would fail like this one.
    Stop,
}

// === impl Unfound ===

impl Unfound {
    /// A document that cannot be taken.
    pub(super) fn document(telling: Telling, url: &Url, what: &str) -> Self {
        let brief = match telling {
            Telling::OtherIssuer | Telling::SimilarIssuer => "another issuer",
            _ => "no usable document",
        };
        let what = format!("the discovery document at {url} {what}");
        Self {
            telling,
            brief: brief.to_owned(),
            fault: Fault::new(FaultKind::Malformed, what),
        }
    }

    /// There was no answer, or not the whole of one.
    pub(super) fn unanswered(fault: Fault) -> Self {
        let (telling, brief) = match fault.kind {
            FaultKind::Timeout => (Telling::Failed, "no answer in time"),
            FaultKind::Reset => (Telling::Failed, "the connection broke"),
            FaultKind::Malformed => (Telling::NoDocument, "no HTTP"),
            FaultKind::TooLarge => (Telling::NoDocument, "too large"),
            // All of the addresses are of one server.
            _ => (Telling::Stop, ""),
        };
        Self {
            telling,
            brief: brief.to_owned(),
            fault,
        }
    }

    /// An answer without a document. The words of a stranger are not passed on.
    pub(super) fn answered(answer: &Answer, url: &Url, issuer: &EndpointUrl) -> Self {
        let status = answer.status;
        let failed = |kind, what: &str| Fault::new(kind, format!("{url} {what}"));
        let (telling, fault) = match status {
            200 => (
                Telling::NoDocument,
                failed(
                    FaultKind::Malformed,
                    "answered with something other than JSON, so not with a discovery document; is it the right issuer?",
                ),
            ),
            300..400 => (
                Telling::NoDocument,
                failed(
                    FaultKind::Redirect,
                    &format!(
                        "answered with a redirect ({status}) instead of a discovery document, which is never followed"
                    ),
                ),
            ),
            429 => (
                Telling::Stop,
                failed(
                    FaultKind::RateLimited,
                    &format!("asked us to slow down ({status})"),
                ),
            ),
            408 | 425 | 500.. => (
                Telling::Failed,
                failed(
                    FaultKind::ServerError,
                    &format!("failed to give a discovery document ({status})"),
                ),
            ),
            400..500 => (
                Telling::Absent,
                Fault::no_endpoint(format!(
                    "{url} has no discovery document for this issuer ({status}): is the issuer written as it should be, {}? Else set token-url",
                    issuer.as_str()
                )),
            ),
            _ => (
                Telling::NoDocument,
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
        // Another document would be asked for within the wait.
        let telling = if fault.states_a_wait() {
            Telling::Stop
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

/// The most telling reason, of as telling ones the first, with the others in a list.
pub(super) fn most_telling(unfound: Vec<(Url, Unfound)>) -> Fault {
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
    let Some((_, Unfound { mut fault, .. })) = told else {
        return Fault::no_endpoint("there is nowhere to look");
    };
    if !others.is_empty() {
        fault.detail = format!("{}; asked as well: {}", fault.detail, others.join(", "));
    }
    fault
}
