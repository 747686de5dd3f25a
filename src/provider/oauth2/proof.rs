//! Interprets an answer at enrolment: whether it is about the client's authentication, and which other form of it is
//! left to try.

use crate::config::oauth2::ClientAuth;
use crate::credential::Credential;
use crate::fault::{Fault, FaultKind};
use crate::provider::answer::IssuerResponse;
use crate::provider::body::{self, BodyValue};

/// The subject of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalSubject {
    /// The client's authentication.
    Client,
    /// The answer does not name its subject.
    Unclear,
    /// Something else.
    Other,
}

/// An attempt that returned no token.
#[derive(Debug)]
pub(super) struct FailedRequest {
    pub(super) fault: Fault,
    pub(super) subject: RefusalSubject,
}

impl FailedRequest {
    /// Creates a failed attempt. The subject counts only if the issuer rejects the request, and not if it reports
    /// trouble of its own.
    pub(super) fn answered(fault: Fault, subject: RefusalSubject) -> Self {
        let subject = match fault.kind {
            FaultKind::Rejected | FaultKind::NoEndpoint => subject,
            _ => RefusalSubject::Other,
        };
        Self { fault, subject }
    }
}

impl From<Fault> for FailedRequest {
    /// Converts a fault without an answer.
    fn from(fault: Fault) -> Self {
        let subject = RefusalSubject::Other;
        Self { fault, subject }
    }
}

/// Determines the subject of a refusal. It is the client for 401 or `invalid_client` with any status (RFC 6749 section
/// 5.2). It is something else for codes about the requested scope or target (RFC 8707 has one, too), and for a page
/// instead of an answer. Some issuers, such as glewlwyd, refuse a client with an empty 403, which does not name its
/// subject.
pub(super) fn subject(answer: &IssuerResponse) -> RefusalSubject {
    let codes = answer.codes();
    let codes: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let has_body = !answer.body.trim_ascii().is_empty();
    let is_page = has_body && answer.members().is_none() && answer.content_type.is_some();
    judge(answer.status, &codes, is_page)
}

fn judge(status: u16, codes: &[&str], is_page: bool) -> RefusalSubject {
    let is_of_client = codes.iter().copied().any(is_invalid_client);
    match (status, codes.first()) {
        (401, _) => RefusalSubject::Client,
        // A proxy's refusal, or a statement of the issuer about itself.
        (407 | 408 | 425 | 429, _) => RefusalSubject::Other,
        (200 | 201 | 400..500, _) if is_of_client => RefusalSubject::Client,
        (_, Some(&("invalid_scope" | "invalid_target" | "unsupported_grant_type"))) => {
            RefusalSubject::Other
        }
        (200 | 201 | 400..500, Some(_)) => RefusalSubject::Unclear,
        (404 | 405, None) => RefusalSubject::Other,
        (400..500, None) if !is_page => RefusalSubject::Unclear,
        _ => RefusalSubject::Other,
    }
}

/// Reports whether a code means that the client is unknown or its secret is wrong: the RFC's, Zoho's
/// `invalid_client_secret`, Slack's `bad_client_secret`, GitHub's `incorrect_client_credentials`.
fn is_invalid_client(code: &str) -> bool {
    let says = ["invalid_client", "bad_client_", "incorrect_client_"];
    says.iter().any(|begin| code.starts_with(begin))
}

/// Returns the other form of the same header; `None` if both forms are equal, or if there is no header.
pub(super) fn alternative_encoding(
    client_auth: ClientAuth,
    credential: &Credential,
) -> Option<ClientAuth> {
    let other = match client_auth {
        ClientAuth::Basic => ClientAuth::BasicRaw,
        ClientAuth::BasicRaw => ClientAuth::Basic,
        ClientAuth::Post => return None,
    };
    let secret = BodyValue::Secret(&credential.client_secret);
    body::has_two_forms(&credential.client_id, secret).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_about_the_client_with_status_401_or_a_client_error_code() {
        for (status, code, expected) in [
            (401, None, RefusalSubject::Client),
            (401, Some("invalid_scope"), RefusalSubject::Client),
            (400, Some("invalid_client"), RefusalSubject::Client),
            (403, Some("invalid_client"), RefusalSubject::Client),
            (404, Some("invalid_client"), RefusalSubject::Client),
            (200, Some("invalid_client"), RefusalSubject::Client),
            (400, Some("invalid_request"), RefusalSubject::Unclear),
            (400, Some("unauthorized_client"), RefusalSubject::Unclear),
            (400, Some("invalid_client_secret"), RefusalSubject::Client),
            (
                200,
                Some("incorrect_client_credentials"),
                RefusalSubject::Client,
            ),
            (200, Some("bad_client_secret"), RefusalSubject::Client),
            (400, None, RefusalSubject::Unclear),
            (403, None, RefusalSubject::Unclear),
            (404, None, RefusalSubject::Other),
            (405, None, RefusalSubject::Other),
            (400, Some("invalid_scope"), RefusalSubject::Other),
            (400, Some("invalid_target"), RefusalSubject::Other),
            (400, Some("unsupported_grant_type"), RefusalSubject::Other),
            (429, Some("invalid_client"), RefusalSubject::Other),
            (407, None, RefusalSubject::Other),
            (408, None, RefusalSubject::Other),
            (503, Some("invalid_client"), RefusalSubject::Other),
            (302, Some("invalid_client"), RefusalSubject::Other),
            (200, None, RefusalSubject::Other),
        ] {
            assert_eq!(
                judge(status, code.as_slice(), false),
                expected,
                "{status} {code:?}"
            );
        }
        // A firewall's page says nothing about a client, except with 401.
        assert_eq!(judge(403, &[], true), RefusalSubject::Other);
        assert_eq!(judge(401, &[], true), RefusalSubject::Client);
    }

    #[test]
    fn an_issuer_failure_is_not_an_error_about_the_client() {
        for (kind, expected) in [
            (FaultKind::Rejected, RefusalSubject::Unclear),
            (FaultKind::NoEndpoint, RefusalSubject::Unclear),
            (FaultKind::ServerError, RefusalSubject::Other),
            (FaultKind::RateLimited, RefusalSubject::Other),
            (FaultKind::Malformed, RefusalSubject::Other),
        ] {
            let failed = FailedRequest::answered(Fault::new(kind, "x"), RefusalSubject::Unclear);
            assert_eq!(failed.subject, expected, "{kind:?}");
        }
    }

    #[test]
    fn a_client_error_code_is_found_in_every_member() {
        let of = |body: &str, content_type: Option<&str>| {
            subject(&IssuerResponse {
                status: 400,
                content_type: content_type.map(str::to_owned),
                date: None,
                retry_after: None,
                location: None,
                coding: None,
                is_challenge: false,
                body: body.as_bytes().to_vec().into(),
            })
        };
        for body in [
            r#"{"error":"invalid_client"}"#,
            r#"{"error":"Invalid-Client"}"#,
            r#"{"errorCode":"invalid_client","errorSummary":"Invalid value"}"#,
            r#"{"ErrorCode":"Invalid Client","Error":"ClientId is Invalid"}"#,
            r#"{"code":"invalid_client","message":"no"}"#,
            r#"{"error":401,"code":"invalid_client"}"#,
            r#"{"error":{"code":"invalid_client","message":"no"}}"#,
            r#"{"detail":{"error":"invalid_client"}}"#,
            r#"{"fault":{"code":"invalid_client"}}"#,
        ] {
            assert_eq!(of(body, None), RefusalSubject::Client, "{body}");
        }
        let other = r#"{"message":"invalid_client"}"#;
        assert_eq!(of(other, None), RefusalSubject::Unclear);
        // A type without a body does not make a page.
        let html = Some("text/html");
        assert_eq!(of("", html), RefusalSubject::Unclear);
        assert_eq!(of("<html>", html), RefusalSubject::Other);
    }

    #[test]
    fn an_alternative_basic_encoding_exists_only_if_it_differs() {
        use ClientAuth::{Basic, BasicRaw, Post};
        for (id, secret, has_two) in [
            ("app", "dGhlIHNlY3JldA==", false),
            ("app", "a~b.c-d_e:f/g&h", false),
            ("app", "a+b", true),
            ("app", "a%b", true),
            ("app", "a b", true),
            ("my app", "ab", true),
            ("urn:app", "ab", true),
        ] {
            let credential = Credential::parse(id, secret).unwrap();
            let other = |auth| alternative_encoding(auth, &credential);
            assert_eq!(other(Basic), has_two.then_some(BasicRaw), "{id} {secret}");
            assert_eq!(other(BasicRaw), has_two.then_some(Basic), "{id} {secret}");
            assert_eq!(other(Post), None);
        }
    }
}
