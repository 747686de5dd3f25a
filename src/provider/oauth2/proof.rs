//! What an answer at enrolment says of the client's authentication, and which other form of it is left to try.

use crate::config::oauth2::ClientAuth;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::provider::answer::Answer;
use crate::provider::body::{self, Sent};

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The client's authentication.
    Client,
    /// The answer does not say.
    Unclear,
    /// Something else.
    Other,
}

/// An attempt that brought no token.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) subject: Subject,
}

impl From<Fault> for Failed {
    /// A fault without an answer.
    fn from(fault: Fault) -> Self {
        let subject = Subject::Other;
        Self { fault, subject }
    }
}

/// What a refusal is about: the client with 401 or `invalid_client`, whichever status that has (RFC 6749 section 5.2);
/// something else with the codes of what was asked for (RFC 8707 has one, too), and where a page stands in for an answer.
/// Some issuers, such as glewlwyd, refuse a client with an empty 403: it does not say that it speaks of the client.
pub(super) fn subject(answer: &Answer) -> Subject {
    let code = match answer.status {
        401 => return Subject::Client,
        429 => return Subject::Other,
        200 | 201 | 400..500 => answer.members().and_then(|members| members.text("error")),
        _ => return Subject::Other,
    };
    let is_page = answer.members().is_none() && answer.content_type.is_some();
    match code.as_deref().map(String::as_str) {
        Some("invalid_client") => Subject::Client,
        Some("invalid_scope" | "invalid_target" | "unsupported_grant_type") => Subject::Other,
        None if is_page || matches!(answer.status, 404 | 405) => Subject::Other,
        _ => Subject::Unclear,
    }
}

/// The other form of the same header; `None` where both are alike, or where there is no header.
pub(super) fn other_form(client_auth: ClientAuth, credential: &Credential) -> Option<ClientAuth> {
    let other = match client_auth {
        ClientAuth::Basic => ClientAuth::BasicRaw,
        ClientAuth::BasicRaw => ClientAuth::Basic,
        ClientAuth::Post => return None,
    };
    let secret = Sent::Secret(&credential.client_secret);
    body::has_two_forms(&credential.client_id, secret).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            content_type: Some("application/json".into()),
            date: None,
            retry_after: None,
            location: None,
            coding: None,
            is_challenge: false,
            body: body.as_bytes().to_vec().into(),
        }
    }

    #[test]
    fn a_refusal_is_about_the_client_where_the_answer_says_so() {
        let code = |code: &str| format!(r#"{{"error":"{code}"}}"#);
        for (status, body, expected) in [
            (401, String::new(), Subject::Client),
            (401, code("invalid_scope"), Subject::Client),
            (400, code("invalid_client"), Subject::Client),
            (403, code("invalid_client"), Subject::Client),
            (200, code("invalid_client"), Subject::Client),
            (400, code("invalid_request"), Subject::Unclear),
            (400, code("unauthorized_client"), Subject::Unclear),
            (400, "{}".to_owned(), Subject::Unclear),
            (404, code("invalid_client"), Subject::Client),
            (404, String::new(), Subject::Other),
            (400, code("invalid_scope"), Subject::Other),
            (400, code("invalid_target"), Subject::Other),
            (400, code("unsupported_grant_type"), Subject::Other),
            (429, code("invalid_client"), Subject::Other),
            (503, code("invalid_client"), Subject::Other),
            (302, code("invalid_client"), Subject::Other),
        ] {
            assert_eq!(subject(&answer(status, &body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_empty_403_may_be_about_the_client_and_a_page_is_not() {
        let said = |content_type: Option<&str>| {
            let content_type = content_type.map(str::to_owned);
            subject(&Answer {
                content_type,
                ..answer(403, "")
            })
        };
        assert_eq!(said(None), Subject::Unclear);
        assert_eq!(said(Some("text/html")), Subject::Other);
    }

    #[test]
    fn another_form_is_left_only_where_the_header_would_differ() {
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
            let other = |auth| other_form(auth, &credential);
            assert_eq!(other(Basic), has_two.then_some(BasicRaw), "{id} {secret}");
            assert_eq!(other(BasicRaw), has_two.then_some(Basic), "{id} {secret}");
            assert_eq!(other(Post), None);
        }
    }
}
