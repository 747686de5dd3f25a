//! The token endpoint of OAuth 2.0 with the client credentials grant (RFC 6749 section 4.4). A program with an OAuth
//! 2.0 client can get its tokens from Jeton unchanged.
//!
//! The client ID is the profile. The socket identifies the caller, so a client secret proves nothing and is discarded
//! unread. The token's scope, audience and resources are those of the profile. A request for others is refused, so that
//! a client never gets a token for something else.

pub mod refusal;

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::config::TokenPurpose;
use crate::dialect::http::oauth2::refusal::{Error, Refusal};
use crate::instant::Now;
use crate::lifecycle::HeldToken;
use crate::profile::ProfileName;

/// A request as received.
#[derive(Clone, Copy, Default)]
pub struct RawTokenRequest<'a> {
    /// The header `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// The header `Authorization`.
    pub authorization: Option<&'a [u8]>,
    /// The body. It may hold a client secret.
    pub body: &'a [u8],
}

/// A parsed token request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The profile whose token is requested.
    pub profile: ProfileName,
    scope: Option<String>,
    audience: Option<String>,
    resource: BTreeSet<String>,
}

/// The parameters that Jeton reads; it ignores all others.
#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
    audience: Option<String>,
    resource: BTreeSet<String>,
}

const fn invalid(why: &'static str) -> Refusal {
    Refusal::new(Error::InvalidRequest, why)
}

const fn no_client(why: &'static str) -> Refusal {
    Refusal::new(Error::InvalidClient, why)
}

// === impl TokenRequest ===

impl TokenRequest {
    /// Parses a request (RFC 6749 sections 2.3.1, 3.2 and 4.4.2). Ignores unknown parameters, as section 3.2 requires.
    ///
    /// # Errors
    /// [`Refusal`]: `invalid_request` for another media type, a repeated parameter, no grant type or two different
    /// clients; `invalid_client` without a client, or with one that is not a valid profile name;
    /// `unsupported_grant_type`.
    pub fn parse(raw: RawTokenRequest<'_>) -> Result<Self, Refusal> {
        if !raw.content_type.is_some_and(is_form) {
            return Err(invalid(
                "the Content-Type is not application/x-www-form-urlencoded",
            ));
        }
        let form = Form::parse(raw.body)?;
        let profile = client(raw.authorization, form.client_id)?;
        match form.grant_type.as_deref() {
            Some("client_credentials") => {}
            Some(_) => {
                return Err(Refusal::new(
                    Error::UnsupportedGrantType,
                    "the only grant type here is client_credentials",
                ));
            }
            None => return Err(invalid("grant_type is missing; it is client_credentials")),
        }
        Ok(Self {
            profile,
            scope: form.scope,
            audience: form.audience,
            resource: form.resource,
        })
    }

    /// Checks that the profile's tokens have the requested scope: either the one that its configuration requests, or
    /// the one that the issuer granted for `held`. A request without a scope gets the profile's.
    ///
    /// # Errors
    /// `invalid_scope`.
    pub fn suits_scope(&self, purpose: &TokenPurpose, held: &HeldToken) -> Result<(), Refusal> {
        let Some(scope) = &self.scope else {
            return Ok(());
        };
        let asked: BTreeSet<_> = scope.split(' ').filter(|word| !word.is_empty()).collect();
        let granted = held.scope.as_ref();
        let is_granted =
            granted.is_some_and(|granted| granted.words().collect::<BTreeSet<_>>() == asked);
        if is_granted || same(&mut asked.into_iter(), &purpose.scope) {
            return Ok(());
        }
        let why = "the tokens of this profile have another scope: what its configuration asks for, and the issuer grants";
        Err(Refusal::new(Error::InvalidScope, why))
    }

    /// Checks that the profile's tokens are for the requested audience and resources. A request without them gets the
    /// profile's.
    ///
    /// # Errors
    /// `invalid_scope`.
    pub fn suits(&self, purpose: &TokenPurpose) -> Result<(), Refusal> {
        let refused = |why| Err(Refusal::new(Error::InvalidScope, why));
        if self.audience.is_some() && self.audience != purpose.audience {
            return refused(
                "the tokens of this profile are for another audience, which its configuration says",
            );
        }
        let mut resource = self.resource.iter().map(String::as_str);
        if !self.resource.is_empty() && !same(&mut resource, &purpose.resource) {
            return refused(
                "the tokens of this profile are for another resource, which its configuration says",
            );
        }
        Ok(())
    }
}

/// Formats the body of the response (RFC 6749 section 5.1). Its scope is the one that the issuer granted, which may
/// differ from the one that the client requested.
pub fn answer(held: &HeldToken, purpose: &TokenPurpose, now: Now) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        access_token: &'a str,
        token_type: &'a str,
        expires_in: u64,
        #[serde(skip_serializing_if = "str::is_empty")]
        scope: &'a str,
    }
    /// An upper bound for the names of the members and the longest number.
    const REST: usize = 128;
    let scope = match &held.scope {
        Some(scope) => Cow::Borrowed(&*scope.granted),
        None => Cow::Owned(purpose.scope.join(" ")),
    };
    let body = Body {
        access_token: held.token.expose(),
        token_type: "Bearer",
        expires_in: held.validity.remaining(now.boot).as_secs(),
        scope: &scope,
    };
    // Allocated at its final size, since a growing buffer leaves copies of the token behind. No character of a scope
    // needs an escape.
    let mut out = Vec::with_capacity(held.token.expose_json().len() + scope.len() + REST);
    // A struct of strings and a number always serialises.
    let _: Result<(), _> = serde_json::to_writer(&mut out, &body);
    out.push(b'\n');
    out
}

/// Compares the requested values with the profile's, in any order.
fn same<'a>(asked: &mut dyn Iterator<Item = &'a str>, ours: &'a [String]) -> bool {
    asked.collect::<BTreeSet<_>>() == ours.iter().map(String::as_str).collect()
}

/// Reports whether a `Content-Type` is that of a form, with any parameters.
fn is_form(content_type: &[u8]) -> bool {
    let media = content_type.split(|b| *b == b';').next();
    media.is_some_and(|media| {
        media
            .trim_ascii()
            .eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    })
}

/// Returns the client, from the header or else from the body. If both name one, they must agree.
fn client(authorization: Option<&[u8]>, in_body: Option<String>) -> Result<ProfileName, Refusal> {
    let id = match (authorization.map(basic).transpose()?, in_body) {
        (Some(basic), Some(body)) if basic != body => {
            return Err(invalid(
                "Authorization and client_id name different clients",
            ));
        }
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => {
            return Err(no_client(
                "the client ID is missing; it is the profile's name",
            ));
        }
    };
    ProfileName::parse(&id).map_err(|_| {
        no_client("there is no such client; the client ID is the profile's name, and 'jeton status' lists them")
    })
}

/// Parses the client ID of `Authorization: Basic` (RFC 7617). The ID is form-encoded before it is joined with the
/// secret (RFC 6749 section 2.3.1).
fn basic(authorization: &[u8]) -> Result<String, Refusal> {
    const SCHEME: &[u8] = b"basic";
    let malformed = || no_client("Authorization is not Basic with a client ID and a client secret");
    let (scheme, rest) = authorization
        .split_at_checked(SCHEME.len())
        .ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) || !rest.starts_with(b" ") {
        return Err(malformed());
    }
    let pair = STANDARD.decode(rest.trim_ascii()).map(Zeroizing::new);
    let pair = pair.map_err(|_| malformed())?;
    let id = pair.split(|b| *b == b':').next().unwrap_or_default();
    if id.len() == pair.len() {
        return Err(malformed());
    }
    decoded(id).ok_or_else(malformed)
}

/// Decodes a single name or value of a form; `None` if the text has more than one.
fn decoded(text: &[u8]) -> Option<String> {
    if text.contains(&b'&') || text.contains(&b'=') {
        return None;
    }
    let pair = form_urlencoded::parse(text).next();
    Some(pair.map_or_else(String::new, |(name, _)| name.into_owned()))
}

// === impl Form ===

impl Form {
    /// Parses a body. A parameter without a value counts as omitted. No parameter may be repeated (RFC 6749 section
    /// 3.2), except the resource (RFC 8707 section 2).
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut form = Self::default();
        let mut seen = BTreeSet::new();
        for pair in body.split(|b| *b == b'&') {
            let name = pair.split(|b| *b == b'=').next().unwrap_or_default();
            if pair.len() <= name.len() + 1 {
                continue;
            }
            let Some(name) = decoded(name) else { continue };
            let place = match name.as_str() {
                "grant_type" => Some(&mut form.grant_type),
                "client_id" => Some(&mut form.client_id),
                "scope" => Some(&mut form.scope),
                "audience" => Some(&mut form.audience),
                "resource" => {
                    form.resource.extend(value(pair));
                    continue;
                }
                _ => None,
            };
            if let Some(place) = place {
                *place = value(pair);
            }
            if !seen.insert(name) {
                return Err(invalid("a parameter is given twice"));
            }
        }
        Ok(form)
    }
}

fn value(pair: &[u8]) -> Option<String> {
    let pair = form_urlencoded::parse(pair).next();
    pair.map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::{answer_with, around, hard_tokens, token_answer};
    use crate::query::Freshness;
    use crate::token::{LastAnswer, Scope};

    const FORM: Option<&[u8]> = Some(b"application/x-www-form-urlencoded");

    fn parse(authorization: Option<&str>, body: &str) -> Result<TokenRequest, Refusal> {
        TokenRequest::parse(RawTokenRequest {
            content_type: FORM,
            authorization: authorization.map(str::as_bytes),
            body: body.as_bytes(),
        })
    }

    fn error(authorization: Option<&str>, body: &str) -> &'static str {
        match parse(authorization, body) {
            Ok(_) => "none",
            Err(refusal) => {
                let unauthorized = refusal.error == Error::InvalidClient;
                assert_eq!(refusal.status, if unauthorized { 401 } else { 400 });
                refusal.error.as_str()
            }
        }
    }

    fn header(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn the_client_id_comes_from_the_body_the_header_or_both_if_equal() {
        let grant = "grant_type=client_credentials";
        for (pair, body) in [
            (None, "&client_id=ci.prod"),
            (None, "&client_id=ci.prod&client_secret=a%26b"),
            (None, "&client_id=ci%2Eprod&unknown=x"),
            (None, "&client_id=ci.prod&scope=&client_secret="),
            (None, "&&client_id=ci.prod&lonely&"),
            (Some("ci.prod:"), ""),
            (Some("ci.prod:se:cr:et"), ""),
            (Some("ci%2eprod:%3A"), ""),
            (Some("ci.prod:\u{e9}"), "&client_id=ci.prod"),
        ] {
            let header = pair.map(header);
            let asked = parse(header.as_deref(), &format!("{grant}{body}")).expect(body);
            assert_eq!(asked.profile.as_str(), "ci.prod", "{pair:?} {body}");
        }
        for name in ["BASIC", "basic"] {
            let header = header("ci:x").replace("Basic", name);
            assert_eq!(error(Some(&header), grant), "none");
        }
    }

    #[test]
    fn any_other_grant_than_client_credentials_is_refused_with_its_code() {
        let ok = "grant_type=client_credentials&client_id=ci";
        for (pair, body, want) in [
            (None, "", "invalid_client"),
            (None, "grant_type=client_credentials", "invalid_client"),
            (
                None,
                "grant_type=client_credentials&client_id=",
                "invalid_client",
            ),
            (
                None,
                "grant_type=client_credentials&client_id=Ci",
                "invalid_client",
            ),
            (
                None,
                "grant_type=client_credentials&client_id=%FF",
                "invalid_client",
            ),
            (
                None,
                "grant_type=client_credentials&client_id=ci%0A",
                "invalid_client",
            ),
            (None, "client_id=ci", "invalid_request"),
            (None, "client_id=ci&grant_type=", "invalid_request"),
            (
                None,
                "client_id=ci&grant_type=password",
                "unsupported_grant_type",
            ),
            (
                None,
                "client_id=ci&grant_type=Client_Credentials",
                "unsupported_grant_type",
            ),
            (
                None,
                "client_id=ci&grant_type=client_credentials&grant_type=x",
                "invalid_request",
            ),
            (None, &format!("{ok}&client_id=ci"), "invalid_request"),
            (None, &format!("{ok}&scope=a&s%63ope=b"), "invalid_request"),
            (
                None,
                &format!("{ok}&audience=a&audience=a"),
                "invalid_request",
            ),
            (
                None,
                &format!("{ok}&client_secret=a&client_secret=b"),
                "invalid_request",
            ),
            (None, &format!("{ok}&what=a&what=b"), "invalid_request"),
            (None, &format!("{ok}&resource=urn:a&resource=urn:b"), "none"),
            (Some("other:x"), ok, "invalid_request"),
            (Some("ci:x"), ok, "none"),
            (Some("no colon"), ok, "invalid_client"),
            (
                Some("ci&x:"),
                "grant_type=client_credentials",
                "invalid_client",
            ),
            (
                Some("ci=x:"),
                "grant_type=client_credentials",
                "invalid_client",
            ),
            (
                Some(":x"),
                "grant_type=client_credentials",
                "invalid_client",
            ),
        ] {
            let header = pair.map(header);
            assert_eq!(error(header.as_deref(), body), want, "{pair:?} {body}");
        }
        for header in [
            "",
            "Basic",
            "Basic ",
            "Basic !",
            "BasicY2k6eA==",
            "Bearer Y2k6eA==",
        ] {
            assert_eq!(error(Some(header), ok), "invalid_client", "{header}");
        }
    }

    #[test]
    fn the_request_body_must_be_a_form_with_its_content_type() {
        let body = b"grant_type=client_credentials&client_id=ci";
        let parse = |content_type: Option<&'static str>| {
            TokenRequest::parse(RawTokenRequest {
                content_type: content_type.map(str::as_bytes),
                authorization: None,
                body,
            })
            .map_err(|refusal| refusal.error)
        };
        for good in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded ; charset=UTF-8",
        ] {
            assert!(parse(Some(good)).is_ok(), "{good}");
        }
        for bad in [
            None,
            Some(""),
            Some("application/json"),
            Some("application/x-www-form-urlencoded-not"),
            Some("text/plain; application/x-www-form-urlencoded"),
        ] {
            assert_eq!(parse(bad), Err(Error::InvalidRequest), "{bad:?}");
        }
    }

    #[test]
    fn a_parsed_token_request_does_not_contain_the_client_secret() {
        let body = "grant_type=client_credentials&client_id=ci&client_secret=canary&client_assertion=canary";
        let asked = parse(Some(&header("ci:canary")), body).unwrap();
        assert!(!format!("{asked:?}").contains("canary"));
    }

    #[test]
    fn a_request_for_another_scope_audience_or_resource_is_refused() {
        let some = TokenPurpose {
            scope: vec!["b.write".into(), "a.read".into()],
            audience: Some("https://api.example".into()),
            resource: vec!["urn:x:1".into(), "urn:x:2".into()],
        };
        let none = TokenPurpose::default();
        for (query, of_some, of_none) in [
            ("", true, true),
            ("&scope=&audience=&resource=", true, true),
            ("&scope=a.read+b.write", true, false),
            ("&scope=b.write%20a.read%20a.read", true, false),
            ("&scope=a.read", false, false),
            ("&scope=a.read+b.write+c", false, false),
            ("&scope=A.READ+b.write", false, false),
            ("&audience=https%3A%2F%2Fapi.example", true, false),
            ("&audience=https://api.example/", false, false),
            ("&resource=urn:x:2&resource=urn:x:1", true, false),
            ("&resource=urn:x:1", false, false),
        ] {
            let body = format!("grant_type=client_credentials&client_id=ci{query}");
            let asked = parse(None, &body).unwrap();
            let held = held(None);
            for (purpose, suits) in [(&some, of_some), (&none, of_none)] {
                let verdict = asked.suits(purpose);
                let verdict = verdict.and_then(|()| asked.suits_scope(purpose, &held));
                let verdict = verdict.map_err(|refusal| refusal.error);
                let wanted = if suits {
                    Ok(())
                } else {
                    Err(Error::InvalidScope)
                };
                assert_eq!(verdict, wanted, "{query} {purpose:?}");
            }
        }
    }

    /// Creates a held token for which the issuer granted this scope.
    fn held(granted: Option<&str>) -> HeldToken {
        let answer = token_answer(Freshness::Good);
        HeldToken {
            token: answer.held.token.share(),
            validity: answer.held.validity,
            generation: 7,
            scope: granted.map(|granted| Scope {
                granted: granted.into(),
                missing: "".into(),
            }),
            last_answer: LastAnswer::default(),
        }
    }

    #[test]
    fn a_request_may_ask_for_the_granted_or_the_configured_scope() {
        let purpose = TokenPurpose {
            scope: vec!["read".into(), "write".into()],
            ..TokenPurpose::default()
        };
        let held = held(Some("email read"));
        for (scope, suits) in [
            ("", true),
            ("&scope=", true),
            ("&scope=write+read", true),
            ("&scope=read+email", true),
            ("&scope=read", false),
            ("&scope=read+write+email", false),
        ] {
            let body = format!("grant_type=client_credentials&client_id=ci{scope}");
            let asked = parse(None, &body).unwrap();
            let verdict = asked.suits_scope(&purpose, &held);
            assert_eq!(verdict.is_ok(), suits, "{scope}");
        }
        let bytes = answer(&held, &purpose, around().now);
        assert!(bytes.ends_with(b",\"scope\":\"email read\"}\n"));
    }

    #[test]
    fn every_token_character_is_in_the_response_without_reallocation() {
        for text in hard_tokens() {
            let held = answer_with(&text).held;
            let bytes = answer(&held, &TokenPurpose::default(), around().now);
            let read: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(read["access_token"], text);
            let in_json = serde_json::to_string(&text).unwrap().len() - 2;
            assert_eq!(bytes.capacity(), in_json + 128);
        }
    }

    #[test]
    fn the_response_has_the_members_of_section_5_1_without_reallocation() {
        let held = token_answer(Freshness::Good).held;
        let mut purpose = TokenPurpose::default();
        let bytes = answer(&held, &purpose, around().now);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "{\"access_token\":\"T0KEN\",\"token_type\":\"Bearer\",\"expires_in\":3570}\n"
        );
        purpose.scope = vec!["b.write".into(), "a.read".into()];
        let bytes = answer(&held, &purpose, around().now);
        assert_eq!(
            bytes.capacity(),
            "T0KEN".len() + "b.write a.read".len() + 128
        );
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "{\"access_token\":\"T0KEN\",\"token_type\":\"Bearer\",\"expires_in\":3570,\"scope\":\"b.write a.read\"}\n"
        );
    }
}
