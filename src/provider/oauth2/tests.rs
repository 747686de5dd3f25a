use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::config::oauth2::ClientAuth;
use crate::provider::fake::{Fake, Play, Sent, answer, json};
use crate::provider::http::Timeouts;

/// Every character that a form must escape, and the separator of Basic.
const SECRET: &str = "canary:&=+% \"\\/'~";
const FORM: &str = "grant_type=client_credentials&client_id=my+id&client_secret=canary%3A%26%3D%2B%25+%22%5C%2F%27%7E";
/// `my%20id:canary:&=%2B%25%20"\/'~`
const BASIC: &str = "Basic bXklMjBpZDpjYW5hcnk6Jj0lMkIlMjUlMjAiXC8nfg==";
const OAUTH: &str = "GET /.well-known/oauth-authorization-server HTTP/1.1";
const INSERTED: &str = "GET /.well-known/oauth-authorization-server/x HTTP/1.1";
const APPENDED: &str = "GET /x/.well-known/oauth-authorization-server HTTP/1.1";
const OPENID_OF_PATH: &str = "GET /x/.well-known/openid-configuration HTTP/1.1";
const OPENID: &str = "GET /.well-known/openid-configuration HTTP/1.1";
const TOKEN: &str = "POST /token HTTP/1.1";

fn credential() -> Credential {
    Credential::parse("my id", SECRET).unwrap()
}

fn token(text: &str) -> Play {
    json(
        200,
        &format!(r#"{{"access_token":"{text}","token_type":"bearer","expires_in":60}}"#),
    )
}

/// Starts a fake issuer; `{issuer}` in an answer stands for its own address.
async fn start(plays: Vec<Play>) -> Fake {
    Fake::start_with(|url| {
        let named = |play: Play| match play {
            Play::Answer(bytes) => {
                let text = String::from_utf8(bytes).unwrap();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                let body = body.replace("{issuer}", url);
                let len = format!("Content-Length: {}\r\n\r\n{body}", body.len());
                let head: Vec<_> = head
                    .split("\r\n")
                    .filter(|line| !line.starts_with("Content-Length"))
                    .collect();
                Play::Answer(format!("{}\r\n{len}", head.join("\r\n")).into_bytes())
            }
            other => other,
        };
        plays.into_iter().map(named).collect()
    })
    .await
}

fn document(token_endpoint: &str) -> Play {
    json(
        200,
        &format!(r#"{{"issuer":"{{issuer}}","token_endpoint":"{token_endpoint}"}}"#),
    )
}

/// Configures an issuer with nothing but the token request.
fn plain(at: TokenEndpointSource) -> config::Oauth2 {
    config::Oauth2 {
        at,
        client_auth: ClientAuth::default(),
        client_id_in_body: false,
        scope: vec![],
        audience: None,
        resource: vec![],
        extra: BTreeMap::new(),
        token_type: None,
    }
}

/// Creates a credential that was enrolled for the token endpoint of this issuer.
fn enrolled(fake: &Fake) -> Credential {
    credential().bound_to(&format!("{}/token", fake.url()))
}

fn at_path(fake: &Fake, path: &str) -> config::Oauth2 {
    let url = format!("{}{path}", fake.url());
    plain(TokenEndpointSource::Token(
        EndpointUrl::token(&url).unwrap(),
    ))
}

fn at_token(fake: &Fake) -> Oauth2 {
    Oauth2::new(at_path(fake, "/token"), Settings::default(), Arc::default())
}

fn at_issuer(fake: &Fake) -> Oauth2 {
    let at = TokenEndpointSource::Issuer(EndpointUrl::issuer(&fake.url()).unwrap());
    Oauth2::new(plain(at), Settings::default(), Arc::default())
}

/// Returns the token of one attempt, or its fault, which must not contain the secret.
async fn ask(provider: &Oauth2, credential: &Credential) -> Result<String, Fault> {
    let result = provider.fetch(credential).await;
    if let Err(fault) = &result {
        let shown = format!("{fault:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("Y2FuYXJ5"),
            "{shown}"
        );
    }
    result.map(|granted| granted.grant.token.expose().to_owned())
}

fn lines(requests: &[Sent]) -> Vec<&str> {
    requests.iter().map(Sent::line).collect()
}

fn sent_the_secret(fake: &Fake) -> bool {
    fake.requests()
        .iter()
        .any(|sent| sent.header("authorization").is_some() || sent.text().contains("client_secret"))
}

#[tokio::test]
async fn client_auth_basic_sends_the_secret_only_in_the_header() {
    let fake = start(vec![token("t")]).await;
    let provider = at_token(&fake);
    assert_eq!(
        fake.connections(),
        0,
        "nothing is opened before it is needed"
    );
    let granted = provider.fetch(&credential()).await.unwrap();
    assert_eq!(granted.grant.lifetime, Some(Duration::from_secs(60)));
    let sent = &fake.requests()[0];
    assert_eq!(
        (sent.line(), sent.text()),
        (TOKEN, "grant_type=client_credentials")
    );
    assert_eq!(sent.header("authorization"), Some(BASIC));
    assert_eq!(
        sent.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(
        sent.header_names(),
        [
            "accept",
            "accept-encoding",
            "authorization",
            "content-length",
            "content-type",
            "host",
            "user-agent"
        ]
    );
}

#[tokio::test]
async fn client_auth_post_sends_the_secret_only_in_the_body() {
    let fake = start(vec![token("t")]).await;
    let configured = config::Oauth2 {
        client_auth: ClientAuth::Post,
        ..at_path(&fake, "/token")
    };
    let provider = Oauth2::new(configured, Settings::default(), Arc::default());
    assert_eq!(ask(&provider, &credential()).await.unwrap(), "t");
    let sent = &fake.requests()[0];
    assert_eq!((sent.text(), sent.header("authorization")), (FORM, None));
}

#[tokio::test]
async fn a_raw_basic_header_and_a_client_id_in_the_body_are_sent_if_configured() {
    for (client_auth, client_id_in_body, header, body) in [
        // `my id:canary:&=+% "\/'~`
        (
            ClientAuth::BasicRaw,
            false,
            Some("Basic bXkgaWQ6Y2FuYXJ5OiY9KyUgIlwvJ34="),
            "grant_type=client_credentials",
        ),
        (
            ClientAuth::Basic,
            true,
            Some(BASIC),
            "grant_type=client_credentials&client_id=my+id",
        ),
        // The client ID is in the body already, and only once.
        (ClientAuth::Post, true, None, FORM),
    ] {
        let fake = start(vec![token("t")]).await;
        let configured = config::Oauth2 {
            client_auth,
            client_id_in_body,
            ..at_path(&fake, "/token")
        };
        let provider = Oauth2::new(configured, Settings::default(), Arc::default());
        assert_eq!(ask(&provider, &credential()).await.unwrap(), "t");
        let sent = &fake.requests()[0];
        assert_eq!((sent.header("authorization"), sent.text()), (header, body));
    }
}

#[tokio::test]
async fn configured_request_parameters_are_sent_exactly_and_in_order() {
    let fake = start(vec![token("t")]).await;
    let configured = config::Oauth2 {
        scope: vec!["api.read".into(), "https://api.example/.default".into()],
        audience: Some("https://api.example/?a=b&c".into()),
        resource: vec!["https://one.example/x".into(), "urn:two:\u{e9}".into()],
        extra: BTreeMap::from([
            ("organization".into(), "a b".into()),
            ("x.y".into(), "&z=1".into()),
        ]),
        ..at_path(&fake, "/t/oauth?p=b2c_1")
    };
    let provider = Oauth2::new(configured, Settings::default(), Arc::default());
    ask(&provider, &credential()).await.unwrap();
    let sent = &fake.requests()[0];
    assert_eq!(sent.line(), "POST /t/oauth?p=b2c_1 HTTP/1.1");
    assert_eq!(
        sent.text(),
        "grant_type=client_credentials&scope=api.read+https%3A%2F%2Fapi.example%2F.default\
         &audience=https%3A%2F%2Fapi.example%2F%3Fa%3Db%26c&resource=https%3A%2F%2Fone.example%2Fx\
         &resource=urn%3Atwo%3A%C3%A9&organization=a+b&x.y=%26z%3D1"
    );
}

#[tokio::test]
async fn an_opaque_token_without_a_stated_lifetime_has_no_lifetime() {
    let fake = start(vec![json(
        200,
        r#"{"access_token":"0.opaque~+/=","token_type":"BEARER"}"#,
    )])
    .await;
    let granted = at_token(&fake).fetch(&credential()).await.unwrap();
    assert_eq!(granted.grant.token.expose(), "0.opaque~+/=");
    assert_eq!(granted.grant.lifetime, None);
}

#[tokio::test]
async fn a_rejection_quotes_the_issuer_without_the_secret() {
    let challenge = "WWW-Authenticate: Bearer realm=\"https://elsewhere.example/\"\r\n";
    let body =
        format!(r#"{{"error":"invalid_client","error_description":"no such header: {BASIC}"}}"#);
    for status in [400, 401] {
        let fake = start(vec![answer(status, "application/json", challenge, &body)]).await;
        let fault = ask(&at_token(&fake), &credential()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Rejected);
        assert!(
            fault
                .detail
                .contains("invalid_client: no such header: Basic [secret]"),
            "{fault:?}"
        );
        assert!(!fault.detail.contains("elsewhere"), "{fault:?}");
        assert_eq!(fake.connections(), 1, "no challenge is answered");
    }
}

#[tokio::test]
async fn a_token_endpoint_that_redirects_is_not_followed() {
    let elsewhere = start(vec![token("t")]).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}/token\r\n", elsewhere.url());
        let fake = start(vec![answer(status, "application/json", &location, "{}")]).await;
        let fault = ask(&at_token(&fake), &credential()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Redirect);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_response_of_a_wrong_token_url_is_reported_with_the_full_address() {
    for play in [
        json(404, "{}"),
        answer(200, "text/html", "", "<html>canary</html>"),
        answer(302, "text/html", "Location: /login\r\n", ""),
    ] {
        let fake = start(vec![play]).await;
        let configured = at_path(&fake, "/realms/x?p=b2c&key=canary");
        let provider = Oauth2::new(configured, Settings::default(), Arc::default());
        let fault = ask(&provider, &credential()).await.unwrap_err();
        let whole = format!(
            "; asked at {}/realms/x?p=b2c&key=[...], which is the configured token-url",
            fake.url()
        );
        assert!(fault.detail.ends_with(&whole), "{fault:?}");
    }
    let fake = start(vec![document("{issuer}/x/token"), json(404, "{}")]).await;
    let bound = credential().bound_to(&format!("{}/x/token", fake.url()));
    let fault = ask(&at_issuer(&fake), &bound).await.unwrap_err();
    let whole = format!(
        "; asked at {}/x/token, which the issuer's document names as its token endpoint",
        fake.url()
    );
    assert!(fault.detail.ends_with(&whole), "{fault:?}");
}

#[tokio::test]
async fn a_malformed_token_response_is_a_fault() {
    for play in [
        answer(200, "text/html", "", "<html>canary</html>"),
        json(200, r#"{"access_token":"a"}{"access_token":"b"}"#),
        json(200, r#"{"access_token":"a","access_token":"b"}"#),
        json(200, r#"{"access_token":"a","token_type":"DPoP"}"#),
        json(200, r#"{"access_token":"a b"}"#),
        json(200, r#"{"error":"","x":1}"#),
        json(200, r#"{"id_token":"canary"}"#),
    ] {
        let fake = start(vec![play]).await;
        let fault = ask(&at_token(&fake), &credential()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{fault:?}");
    }
}

async fn destination(provider: &Oauth2) -> String {
    let located = provider.destination().await.unwrap();
    located.endpoint.to_string()
}

#[tokio::test]
async fn a_configured_token_endpoint_gets_only_a_credential_bound_to_it() {
    let fake = start(vec![token("t")]).await;
    let provider = at_token(&fake);
    assert_eq!(
        destination(&provider).await,
        format!("{}/token", fake.url())
    );
    let here = fake.url();
    for other in [
        "https://idp.example/token".to_owned(),
        here.clone(),
        format!("{here}/u/mallory/token"),
        format!("{here}/token/"),
        format!("{here}/token?tenant=canary"),
    ] {
        let bound = credential().bound_to(&other);
        let fault = ask(&provider, &bound).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::BindingChanged);
        assert_eq!(fake.connections(), 0);
    }
    assert_eq!(ask(&provider, &enrolled(&fake)).await.unwrap(), "t");
}

// === discovery ===

#[tokio::test]
async fn discovery_runs_once_and_its_endpoint_is_remembered() {
    let fake = start(vec![document("{issuer}/token"), token("t1"), token("t2")]).await;
    let provider = at_issuer(&fake);
    let credential = enrolled(&fake);
    assert_eq!(ask(&provider, &credential).await.unwrap(), "t1");
    assert_eq!(ask(&provider, &credential).await.unwrap(), "t2");
    let requests = fake.requests();
    assert_eq!(lines(&requests), [OAUTH, TOKEN, TOKEN]);
    assert_eq!(
        requests[0].header_names(),
        ["accept", "accept-encoding", "host", "user-agent"],
        "nothing of ours"
    );
}

/// Answers of an address without the issuer's document. None of them says anything about the other addresses.
fn no_documents() -> Vec<Play> {
    vec![
        json(404, "{}"),
        json(403, "{}"),
        json(500, "{}"),
        json(503, "{}"),
        json(200, "{}"),
        json(200, "["),
        json(
            200,
            r#"{"issuer":"https://stranger.example","token_endpoint":"https://stranger.example/token"}"#,
        ),
        json(200, r#"{"issuer":"{issuer}","token_endpoint":null}"#),
        json(
            200,
            r#"{"issuer":"{issuer}","token_endpoint":"http://stranger.example/token"}"#,
        ),
        json(200, &" ".repeat(170_000)),
        answer(200, "text/html", "", "<html>"),
        answer(302, "text/html", "Location: /login\r\n", ""),
        Play::Reset(vec![]),
        Play::Reset(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
                .to_vec(),
        ),
        Play::Answer(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
    ]
}

#[tokio::test]
async fn openid_metadata_is_used_if_no_oauth_metadata_exists() {
    for absent in no_documents() {
        let fake = start(vec![absent, document("{issuer}/token"), token("t")]).await;
        let provider = at_issuer(&fake);
        assert_eq!(
            destination(&provider).await,
            format!("{}/token", fake.url())
        );
        assert_eq!(lines(&fake.requests()), [OAUTH, OPENID]);
    }
}

fn at_issuer_with_path(fake: &Fake) -> Oauth2 {
    let at =
        TokenEndpointSource::Issuer(EndpointUrl::issuer(&format!("{}/x", fake.url())).unwrap());
    Oauth2::new(plain(at), quick(), Arc::default())
}

/// Settings with a short wait for missing answers.
fn quick() -> Settings {
    let timeouts = Timeouts {
        exchange: Duration::from_secs(1),
        ..Timeouts::default()
    };
    Settings {
        timeouts,
        ..Settings::default()
    }
}

#[tokio::test]
async fn each_metadata_address_is_requested_even_if_others_fail() {
    let of_path = |play: &Play| match play {
        Play::Answer(bytes) => {
            let text = String::from_utf8(bytes.clone()).unwrap();
            Play::Answer(text.replace("{issuer}", "{issuer}/x").into_bytes())
        }
        other => other.clone(),
    };
    let good = of_path(&document("{issuer}/token"));
    let bad: Vec<_> = no_documents().iter().map(of_path).collect();
    let all = [INSERTED, APPENDED, OPENID_OF_PATH];
    for good_at in 0..3 {
        for (at, first) in bad.iter().enumerate() {
            // Each answer beside another one.
            let second = &bad[(at + 1) % bad.len()];
            let mut plays = [first, second].map(Clone::clone)[..good_at].to_vec();
            plays.push(good.clone());
            let fake = start(plays).await;
            let there = destination(&at_issuer_with_path(&fake)).await;
            assert!(there.ends_with("/token"), "{there}");
            assert_eq!(lines(&fake.requests()), all[..=good_at]);
        }
    }
}

#[tokio::test]
async fn discovery_skips_a_hanging_address_and_remembers_the_working_one() {
    let good = || {
        json(
            200,
            r#"{"issuer":"{issuer}/x","token_endpoint":"{issuer}/token"}"#,
        )
    };
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n";
    let fake = start(vec![
        Play::Drip(b"HTTP/1.1 200 OK\r\nX: ".to_vec()),
        Play::Drip(head.to_vec()),
        good(),
        json(404, "{}"),
        good(),
        token("t"),
        json(404, "{}"),
        Play::Reset(vec![]),
        good(),
        token("t2"),
    ])
    .await;
    let (provider, credential) = (at_issuer_with_path(&fake), enrolled(&fake));
    // The token endpoint disappears, then it is back.
    ask(&provider, &credential).await.unwrap_err();
    assert_eq!(ask(&provider, &credential).await.unwrap(), "t");
    ask(&provider, &credential).await.unwrap_err();
    assert_eq!(ask(&provider, &credential).await.unwrap(), "t2");
    assert_eq!(
        lines(&fake.requests()),
        [
            INSERTED,
            APPENDED,
            OPENID_OF_PATH,
            TOKEN,
            OPENID_OF_PATH,
            TOKEN,
            TOKEN,
            OPENID_OF_PATH,
            INSERTED,
            TOKEN
        ]
    );
}

#[test]
fn discovery_limits_leave_time_for_one_token_request() {
    let Timeouts {
        exchange, fetch, ..
    } = Timeouts::default();
    assert!(discovery::LIMIT * 3 + exchange <= fetch);
}

#[tokio::test]
async fn without_metadata_no_secret_is_sent_and_the_best_reason_is_reported() {
    let page = || answer(200, "text/html", "", "<html>canary</html>");
    let redirect = || answer(302, "text/html", "Location: /canary\r\n", "");
    let gone = Fault::no_endpoint("").kind;
    for (plays, kind) in [
        (vec![json(404, "{}"), json(404, "{}")], gone),
        (vec![json(404, "{}"), page()], FaultKind::Malformed),
        (vec![page(), json(404, "{}")], FaultKind::Malformed),
        (vec![redirect(), redirect()], FaultKind::Redirect),
        (
            vec![json(503, "{}"), json(404, "{}")],
            FaultKind::ServerError,
        ),
        (
            vec![json(404, "{}"), json(503, "{}")],
            FaultKind::ServerError,
        ),
        (vec![json(429, "{}")], FaultKind::RateLimited),
        (
            vec![json(404, "{}"), json(429, "{}")],
            FaultKind::RateLimited,
        ),
        (
            vec![answer(503, "text/html", "Retry-After: 20\r\n", "")],
            FaultKind::ServerError,
        ),
        (vec![Play::Reset(vec![]), json(404, "{}")], FaultKind::Reset),
        (
            vec![json(200, "{\"issuer\":\"canary\"}"), Play::Reset(vec![])],
            FaultKind::Malformed,
        ),
        (
            vec![json(200, &" ".repeat(170_000)), json(404, "{}")],
            FaultKind::TooLarge,
        ),
    ] {
        let expected = plays.len();
        let fake = start(plays).await;
        let fault = ask(&at_issuer(&fake), &credential().bound_to(&fake.url()))
            .await
            .unwrap_err();
        assert_eq!(fault.kind, kind, "{fault:?}");
        assert_eq!(fake.requests().len(), expected, "{fault:?}");
        assert!(!sent_the_secret(&fake));
    }
}

#[tokio::test]
async fn discovery_stops_when_the_server_cannot_be_reached() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    // This also closes copies of the descriptor: a child of another test has one between its fork and its exec.
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
    let at = TokenEndpointSource::Issuer(EndpointUrl::issuer(&url).unwrap());
    let provider = Oauth2::new(plain(at), Settings::default(), Arc::default());
    let fault = provider.destination().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Connect);
    assert!(!fault.detail.contains("asked as well"), "{fault:?}");
}

#[tokio::test]
async fn the_issuer_that_a_document_names_is_quoted_without_the_secret() {
    let fake = start(vec![json(
        200,
        r#"{"issuer":"{issuer}/","token_endpoint":"{issuer}/token"}"#,
    )])
    .await;
    let fault = ask(&at_issuer(&fake), &enrolled(&fake)).await.unwrap_err();
    let quoted = format!("names another issuer, \"{}/\": ", fake.url());
    assert!(fault.detail.contains(&quoted), "{fault:?}");
    let hex: String = SECRET.bytes().map(|b| format!("{b:02x}")).collect();
    let body =
        format!(r#"{{"issuer":"https://{hex}.example","token_endpoint":"{{issuer}}/token"}}"#);
    let fake = start(vec![json(200, &body)]).await;
    let fault = ask(&at_issuer(&fake), &enrolled(&fake)).await.unwrap_err();
    assert!(
        fault.detail.contains("\"https://[secret].example\""),
        "{fault:?}"
    );
}

#[tokio::test]
async fn the_secret_is_sent_only_to_the_enrolled_endpoint() {
    let thief = start(vec![token("stolen")]).await;
    let endpoint = format!("{}/token", thief.url());
    let fake = start(vec![document(&endpoint)]).await;
    let provider = at_issuer(&fake);
    // Credentials that were enrolled for the issuer's own endpoint, for third ones, and not at all.
    for bound in [
        enrolled(&fake),
        credential().bound_to("https://tokens.example/token"),
        credential().bound_to(&thief.url()),
        credential().bound_to(&format!("{}/u/victim/token", thief.url())),
        credential(),
    ] {
        let fault = ask(&provider, &bound).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::BindingChanged);
        let (at, named) = (fake.url(), thief.url());
        let said = format!("the issuer at {at} now names the token endpoint {named}/token, ");
        assert!(fault.detail.starts_with(&said), "{fault:?}");
        assert!(fault.detail.contains("--rebind"), "{fault:?}");
    }
    assert_eq!((thief.connections(), sent_the_secret(&fake)), (0, false));
    // A person who sees the endpoint and enrols the credential for it has decided.
    let shown = destination(&provider).await;
    assert_eq!(shown, endpoint);
    assert_eq!(
        ask(&provider, &credential().bound_to(&shown))
            .await
            .unwrap(),
        "stolen"
    );
    assert!(!sent_the_secret(&fake));
}

#[tokio::test]
async fn an_endpoint_address_from_metadata_is_quoted_without_the_secret() {
    let hex: String = SECRET.bytes().map(|b| format!("{b:02x}")).collect();
    let fake = start(vec![document(&format!("https://{hex}.example/token"))]).await;
    let fault = ask(&at_issuer(&fake), &enrolled(&fake)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::BindingChanged);
    let named = "now names the token endpoint https://[secret].example/token,";
    assert!(fault.detail.contains(named), "{fault:?}");
}

#[tokio::test]
async fn corrected_metadata_or_a_reenrolled_credential_is_used() {
    let moved = start(vec![token("moved")]).await;
    let there = format!("{}/token", moved.url());
    let fake = start(vec![
        document(&there),
        document("{issuer}/token"),
        token("home"),
        document(&there),
    ])
    .await;
    let provider = at_issuer(&fake);
    let home = enrolled(&fake);
    let fault = ask(&provider, &home).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::BindingChanged);
    assert_eq!(ask(&provider, &home).await.unwrap(), "home");
    // A remembered endpoint must not refuse a credential that was meanwhile enrolled for the new one.
    let enrolled_anew = enrolled(&moved);
    assert_eq!(ask(&provider, &enrolled_anew).await.unwrap(), "moved");
    assert_eq!(lines(&fake.requests()), [OAUTH, OAUTH, TOKEN, OAUTH]);
}

#[tokio::test]
async fn discovery_is_repeated_for_a_missing_endpoint_but_not_for_a_failing_one() {
    for gone in [
        json(404, "{}"),
        json(405, "{}"),
        answer(200, "text/html", "", "<html>"),
        answer(308, "text/html", "Location: /new\r\n", ""),
    ] {
        let fake = start(vec![
            document("{issuer}/token"),
            gone,
            document("{issuer}/new"),
            document("{issuer}/token"),
            token("t"),
        ])
        .await;
        let (provider, credential) = (at_issuer(&fake), enrolled(&fake));
        ask(&provider, &credential).await.unwrap_err();
        // A person has to confirm any other endpoint, even of the same origin.
        let fault = ask(&provider, &credential).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::BindingChanged);
        assert_eq!(ask(&provider, &credential).await.unwrap(), "t");
        assert_eq!(lines(&fake.requests()), [OAUTH, TOKEN, OAUTH, OAUTH, TOKEN]);
    }
    for failing in [
        json(401, r#"{"error":"invalid_client"}"#),
        json(503, "{}"),
        json(429, "{}"),
        Play::Reset(vec![]),
    ] {
        let fake = start(vec![document("{issuer}/token"), failing, token("t")]).await;
        let (provider, credential) = (at_issuer(&fake), enrolled(&fake));
        ask(&provider, &credential).await.unwrap_err();
        assert_eq!(ask(&provider, &credential).await.unwrap(), "t");
        assert_eq!(lines(&fake.requests()), [OAUTH, TOKEN, TOKEN]);
    }
}
