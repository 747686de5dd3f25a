use zeroize::Zeroizing;

use super::*;

const ISSUER: &str = "https://idp.example/x";
const GOOD: &str =
    r#"{"issuer":"https://idp.example/x","token_endpoint":"https://idp.example/x/token"}"#;

fn answer(status: u16, content_type: &str, body: &str) -> Answer {
    Answer {
        status,
        content_type: Some(content_type.to_owned()),
        date: None,
        retry_after: None,
        location: Some("https://canary.example".to_owned()),
        coding: None,
        is_challenge: false,
        body: Zeroizing::new(body.as_bytes().to_vec()),
    }
}

fn read_for(issuer: &str, body: &str, mutual_tls: bool) -> Result<String, Fault> {
    let issuer = EndpointUrl::issuer(issuer).unwrap();
    match read(&answer(200, "application/json", body), &issuer, mutual_tls) {
        Ok(document) => Ok(document.endpoint.url().to_string()),
        Err(Unfound::Bad(fault)) => Err(fault),
        Err(Unfound::Absent(fault)) => panic!("{body} is there: {fault:?}"),
    }
}

/// What is wrong with a document, told without its words.
fn fault(issuer: &str, body: &str) -> String {
    let fault = read_for(issuer, body, false).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed, "{body}");
    assert!(!fault.detail.contains("canary"), "{fault:?}");
    fault.detail
}

fn naming(token_endpoint: &str) -> String {
    format!(r#"{{"issuer":"{ISSUER}","token_endpoint":{token_endpoint}}}"#)
}

#[test]
fn the_token_endpoint_is_read_and_the_rest_is_ignored() {
    let full = r#" {"grant_types_supported":["client_credentials"],"token_endpoint":"https:\/\/idp.example/x/token?p=1",
        "issuer":"https://idp.example/x","later":{"a":{"b":[1,null]}},"mtls_endpoint_aliases":{"token_endpoint":1}}"#;
    let read = read_for(ISSUER, full, false).unwrap();
    assert_eq!(read, "https://idp.example/x/token?p=1");
    let elsewhere = naming(r#""https://tokens.example""#);
    assert_eq!(
        read_for(ISSUER, &elsewhere, false).unwrap(),
        "https://tokens.example/",
        "whether the secret may go there is for the credential's binding to say"
    );
}

#[test]
fn a_document_of_another_issuer_is_refused() {
    for issuer in [
        "https://canary.example/x",
        "https://idp.example",
        "https://idp.example/X",
        "https://IDP.example/x",
        "https://idp.example:443/x",
        "https://idp.example/x?",
        "http://idp.example/x",
        "",
        " https://idp.example/x",
    ] {
        let said = fault(
            ISSUER,
            &GOOD.replace("https://idp.example/x\",", &format!("{issuer}\",")),
        );
        assert!(said.contains("names another issuer"), "{issuer}: {said}");
        assert!(!said.contains("final slash"), "{said}");
    }
    let said = fault(ISSUER, &GOOD.replace("/x\",", "/x/\","));
    assert!(said.contains("differ in the final slash"), "{said}");
    let escaped = GOOD.replace(
        "https://idp.example/x\",",
        "https:\\/\\/idp.ex\\u0061mple\\/x\",",
    );
    assert!(
        read_for(ISSUER, &escaped, false).is_ok(),
        "the same characters"
    );
}

#[test]
fn a_document_that_two_readers_could_understand_differently_is_refused() {
    for (body, why) in [
        (String::new(), "malformed JSON"),
        ("canary".to_owned(), "malformed JSON"),
        (format!("{GOOD}{GOOD}"), "malformed JSON"),
        (format!("[{GOOD}]"), "malformed JSON"),
        (
            GOOD.replace('{', r#"{"issuer":"https://canary.example","#),
            "malformed JSON",
        ),
        (
            GOOD.replace('{', r#"{"token_\u0065ndpoint":"https://canary.example","#),
            "malformed JSON",
        ),
        ("{}".to_owned(), "names no issuer"),
        (
            GOOD.replace("\"https://idp.example/x\"", "null"),
            "names no issuer",
        ),
        (
            GOOD.replace("\"https://idp.example/x\"", "[\"https://idp.example/x\"]"),
            "names no issuer",
        ),
        (
            GOOD.replace("token_endpoint", "token-endpoint"),
            "names no token endpoint",
        ),
        (naming("null"), "names no token endpoint"),
        (naming("7"), "names no token endpoint"),
        (
            naming(r#"["https://canary.example"]"#),
            "names no token endpoint",
        ),
    ] {
        let said = fault(ISSUER, &body);
        assert!(said.contains(why), "{body}: {said}");
    }
}

#[test]
fn a_token_endpoint_that_could_give_the_secret_away_is_refused() {
    for bad in [
        "",
        "/token",
        "http://idp.example/token",
        "http://localhost/token",
        "http://127.0.0.1.canary.example/token",
        "https://canary@idp.example/token",
        "https://idp.example/token#canary",
        "https:\\\\\\\\canary.example",
        "https://idp.example/\\ntoken",
        "ftp://canary.example/",
        "javascript:canary",
    ] {
        let said = fault(ISSUER, &naming(&format!("\"{bad}\"")));
        assert!(said.contains("no secret may be sent to"), "{bad}: {said}");
    }
    let local = r#""http://127.0.0.1:9/token""#;
    assert!(fault(ISSUER, &naming(local)).contains("without TLS on this machine"));
    let issuer = "http://127.0.0.1:8/x";
    let body = naming(local).replace(ISSUER, issuer);
    assert_eq!(
        read_for(issuer, &body, false).unwrap(),
        "http://127.0.0.1:9/token"
    );
}

#[test]
fn with_a_client_certificate_the_endpoint_that_asks_for_one_is_used() {
    let aliases =
        |aliases: &str| GOOD.replace('{', &format!("{{\"mtls_endpoint_aliases\":{aliases},"));
    let own = aliases(r#"{"token_endpoint":"https://mtls.idp.example/token"}"#);
    assert_eq!(
        read_for(ISSUER, &own, true).unwrap(),
        "https://mtls.idp.example/token"
    );
    assert_eq!(
        read_for(ISSUER, &own, false).unwrap(),
        "https://idp.example/x/token"
    );
    for none in ["null", "{}", r#"{"token_endpoint":null}"#] {
        assert_eq!(
            read_for(ISSUER, &aliases(none), true).unwrap(),
            "https://idp.example/x/token"
        );
    }
    for bad in ["[]", "7", r#"{"token_endpoint":7}"#, r#"{"a":1,"a":2}"#] {
        let fault = read_for(ISSUER, &aliases(bad), true).unwrap_err();
        assert!(
            fault.detail.contains("names no token endpoint"),
            "{bad}: {fault:?}"
        );
    }
}

#[test]
fn what_is_no_document_is_told_apart_and_only_a_plea_to_slow_down_ends_the_search() {
    let issuer = EndpointUrl::issuer(ISSUER).unwrap();
    for (status, content_type, kind, absent) in [
        (200, "text/html", FaultKind::Malformed, true),
        (200, "text/json", FaultKind::Malformed, true),
        (204, "application/json", FaultKind::Malformed, true),
        (301, "application/json", FaultKind::Redirect, true),
        (307, "text/html", FaultKind::Redirect, true),
        (401, "application/json", FaultKind::NoEndpoint, true),
        (403, "application/json", FaultKind::NoEndpoint, true),
        (404, "application/json", FaultKind::NoEndpoint, true),
        (429, "application/json", FaultKind::RateLimited, false),
        (408, "application/json", FaultKind::ServerError, true),
        (500, "application/json", FaultKind::ServerError, true),
        (503, "text/html", FaultKind::ServerError, true),
    ] {
        let unfound = read(&answer(status, content_type, GOOD), &issuer, false).unwrap_err();
        let (fault, told_absent) = match unfound {
            Unfound::Absent(fault) => (fault, true),
            Unfound::Bad(fault) => (fault, false),
        };
        assert_eq!(
            (fault.kind, told_absent),
            (kind, absent),
            "{status}: {fault:?}"
        );
        assert!(
            fault.detail.starts_with("https://idp.example "),
            "{fault:?}"
        );
        assert!(!fault.detail.contains("canary"), "{fault:?}");
    }
}

#[test]
fn an_answer_that_states_a_wait_ends_the_search() {
    let issuer = EndpointUrl::issuer(ISSUER).unwrap();
    for (wait, goes_on) in [
        (None, true),
        (Some("0"), true),
        (Some("30"), false),
        (Some("1, 30"), false),
    ] {
        for status in [200, 302, 403, 404, 500, 503] {
            let mut answer = answer(status, "text/html", GOOD);
            answer.retry_after = wait.map(str::to_owned);
            let unfound = read(&answer, &issuer, false).unwrap_err();
            assert_eq!(
                matches!(unfound, Unfound::Absent(_)),
                goes_on,
                "{status} {wait:?}"
            );
        }
    }
}

#[test]
fn discovery_documents_are_where_the_standards_put_them() {
    for (issuer, places) in [
        (
            "https://a.example",
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ],
        ),
        (
            "https://a.example/",
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ],
        ),
        (
            "https://a.example:8443/realms/x/",
            [
                "https://a.example:8443/.well-known/oauth-authorization-server/realms/x",
                "https://a.example:8443/realms/x/.well-known/openid-configuration",
            ],
        ),
    ] {
        let parsed = EndpointUrl::issuer(issuer).unwrap();
        assert_eq!(documents(&parsed).map(String::from), places);
        assert_eq!(parsed.as_str(), issuer, "as it was written");
    }
}
