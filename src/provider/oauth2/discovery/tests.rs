use zeroize::Zeroizing;

use super::*;

const ISSUER: &str = "https://idp.example/x";
const PLACE: &str = "https://idp.example/x/.well-known/openid-configuration";
const GOOD: &str =
    r#"{"issuer":"https://idp.example/x","token_endpoint":"https://idp.example/x/token"}"#;

fn answer(status: u16, content_type: &str, body: &str) -> IssuerResponse {
    IssuerResponse {
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

fn judge(answer: &IssuerResponse, issuer: &str, mutual_tls: bool) -> Result<Document, NoEndpoint> {
    let issuer = EndpointUrl::issuer(issuer).unwrap();
    read(answer, &Url::parse(PLACE).unwrap(), &issuer, mutual_tls)
}

fn read_for(issuer: &str, body: &str, mutual_tls: bool) -> Result<String, Fault> {
    match judge(&answer(200, "application/json", body), issuer, mutual_tls) {
        Ok(document) => Ok(document.endpoint.url().to_string()),
        Err(unfound) => {
            assert_ne!(unfound.telling, Informativeness::Stop, "{unfound:?}");
            Err(unfound.fault)
        }
    }
}

/// Returns the problem with a document, which must not quote the document.
fn fault(issuer: &str, body: &str) -> String {
    let detail = fault_quoting(issuer, body);
    assert!(!detail.contains("canary"), "{detail}");
    detail
}

/// Does the same if the document's issuer is quoted.
fn fault_quoting(issuer: &str, body: &str) -> String {
    let fault = read_for(issuer, body, false).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Malformed, "{body}");
    let start = format!("the discovery document at {PLACE} ");
    assert!(fault.detail.starts_with(&start), "{fault:?}");
    fault.detail
}

fn naming(token_endpoint: &str) -> String {
    format!(r#"{{"issuer":"{ISSUER}","token_endpoint":{token_endpoint}}}"#)
}

#[test]
fn discovery_reads_the_token_endpoint_and_ignores_other_members() {
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
fn metadata_of_another_issuer_is_refused_and_quotes_that_issuer() {
    for issuer in [
        "https://other.example/x",
        "https://idp.example",
        "https://idp.example/X",
        "https://IDP.example/x",
        "https://idp.example:443/x",
        "https://idp.example/x?",
        "http://idp.example/x",
    ] {
        let said = fault_quoting(
            ISSUER,
            &GOOD.replace("https://idp.example/x\",", &format!("{issuer}\",")),
        );
        assert!(said.contains("names another issuer"), "{issuer}: {said}");
        assert!(said.contains(&format!("\"{issuer}\"")), "{said}");
        assert!(!said.contains("final slash"), "{said}");
    }
    for nothing in [
        "",
        " https://idp.example/x",
        "canary",
        "https://canary\\u001b[2J",
    ] {
        let said = fault(
            ISSUER,
            &GOOD.replace("https://idp.example/x\",", &format!("{nothing}\",")),
        );
        assert!(said.contains("names another issuer"), "{nothing}: {said}");
    }
    let said = fault_quoting(ISSUER, &GOOD.replace("/x\",", "/x/\","));
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
fn ambiguous_metadata_is_refused() {
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
fn an_unsafe_token_endpoint_in_metadata_is_refused() {
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
fn with_a_client_certificate_the_mtls_endpoint_alias_is_used() {
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
fn discovery_faults_are_classified_and_only_a_429_ends_the_search() {
    for (status, content_type, kind, telling) in [
        (
            200,
            "text/html",
            FaultKind::Malformed,
            Informativeness::NoDocument,
        ),
        (
            204,
            "application/json",
            FaultKind::Malformed,
            Informativeness::NoDocument,
        ),
        (
            301,
            "application/json",
            FaultKind::Redirect,
            Informativeness::NoDocument,
        ),
        (
            307,
            "text/html",
            FaultKind::Redirect,
            Informativeness::NoDocument,
        ),
        (
            429,
            "application/json",
            FaultKind::RateLimited,
            Informativeness::Stop,
        ),
        (
            408,
            "application/json",
            FaultKind::ServerError,
            Informativeness::Failed,
        ),
        (
            500,
            "application/json",
            FaultKind::ServerError,
            Informativeness::Failed,
        ),
        (
            503,
            "text/html",
            FaultKind::ServerError,
            Informativeness::Failed,
        ),
    ] {
        let unfound = judge(&answer(status, content_type, "<p>canary"), ISSUER, false).unwrap_err();
        let fault = &unfound.fault;
        assert_eq!(
            (fault.kind, unfound.telling),
            (kind, telling),
            "{status}: {fault:?}"
        );
        assert!(fault.detail.starts_with(&format!("{PLACE} ")), "{fault:?}");
        assert!(!fault.detail.contains("canary"), "{fault:?}");
    }
    for status in [400, 401, 403, 404, 405, 410, 422] {
        let answer = answer(status, "application/json", r#"{"canary":1}"#);
        let unfound = judge(&answer, ISSUER, false).unwrap_err();
        let fault = &unfound.fault;
        assert_eq!(unfound.telling, Informativeness::Absent, "{status}");
        assert_eq!(fault.kind, Fault::no_endpoint("").kind, "{status}");
        assert!(!fault.is_of_credential(), "{status}");
        assert!(!fault.detail.contains("canary"), "{fault:?}");
    }
}

#[test]
fn a_response_with_retry_after_ends_the_discovery() {
    for (wait, goes_on) in [
        (None, true),
        (Some("0"), true),
        (Some("30"), false),
        (Some("1, 30"), false),
    ] {
        for status in [200, 302, 403, 404, 500, 503] {
            let mut answer = answer(status, "text/html", "<p>");
            answer.retry_after = wait.map(str::to_owned);
            let unfound = judge(&answer, ISSUER, false).unwrap_err();
            assert_eq!(
                unfound.telling != Informativeness::Stop,
                goes_on,
                "{status} {wait:?}"
            );
        }
    }
}

#[test]
fn the_most_informative_discovery_fault_is_reported_with_the_others() {
    let at = |path: &str| Url::parse(&format!("https://idp.example{path}")).unwrap();
    let judged = |path: &str, status, body: &str| {
        let issuer = EndpointUrl::issuer(ISSUER).unwrap();
        let answer = answer(status, "application/json", body);
        let unfound = read(&answer, &at(path), &issuer, false).unwrap_err();
        (at(path), unfound)
    };
    let unanswered =
        |path: &str, kind| (at(path), NoEndpoint::unanswered(Fault::new(kind, "broken")));
    let absent = || judged("/absent", 404, "{}");
    let ill = || judged("/ill", 503, "{}");
    let page = || judged("/page", 302, "");
    let other = || judged("/other", 200, r#"{"issuer":"https://other.example"}"#);
    let similar = || judged("/similar", 200, r#"{"issuer":"https://idp.example/x/"}"#);
    let unusable = || judged("/unusable", 200, &naming("7"));
    for (all, told) in [
        (
            vec![absent(), ill(), page()],
            "https://idp.example/ill failed to give a discovery document (503); asked as well: /absent (404), /page (302)",
        ),
        (
            vec![
                unanswered("/a", FaultKind::Reset),
                unanswered("/b", FaultKind::Timeout),
            ],
            "broken; asked as well: /b (no answer in time)",
        ),
        (
            vec![page(), absent()],
            "https://idp.example/page answered with a redirect (302) instead of a discovery document, which is never followed; asked as well: /absent (404)",
        ),
        (
            vec![similar(), other(), ill()],
            "the discovery document at https://idp.example/similar names another issuer, \"https://idp.example/x/\": the two differ in the final slash, so write the issuer as it does, with it; asked as well: /other (another issuer), /ill (503)",
        ),
        (
            vec![similar(), unusable()],
            "the discovery document at https://idp.example/unusable names no token endpoint; asked as well: /similar (another issuer)",
        ),
    ] {
        assert_eq!(most_telling(all).detail, told);
    }
    let told = most_telling(vec![
        absent(),
        other(),
        unanswered("/b", FaultKind::Timeout),
    ])
    .detail;
    assert!(told.contains("\"https://other.example\""), "{told}");
    assert_eq!(
        most_telling(vec![absent(), absent()]).kind,
        Fault::no_endpoint("").kind
    );
}
