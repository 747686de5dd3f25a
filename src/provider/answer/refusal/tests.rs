use super::*;

fn word(status: u16, is_challenge: bool, body: &str) -> RefusalKind {
    RefusalKind::of(
        status,
        is_challenge,
        Members::parse(body.as_bytes()).as_ref(),
        false,
    )
}

#[test]
fn an_oauth_error_code_is_a_rejection_at_any_status() {
    for code in [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "access_denied",
        // Entra, Salesforce, Zoho, RFC 8707, Slack, GitHub.
        "invalid_resource",
        "invalid_client_id",
        "invalid_client_secret",
        "invalid_target",
        "bad_client_secret",
        "incorrect_client_credentials",
        "unsupported_token_type",
        "Invalid credentials",
        "INVALID_CLIENT",
        " invalid-client ",
    ] {
        let body = format!(r#"{{"error":"{code}","error_description":"x"}}"#);
        for status in [400, 401, 403, 404, 405, 410, 415, 422, 451] {
            assert_eq!(
                word(status, false, &body),
                RefusalKind::Credential,
                "{status} {code}"
            );
        }
    }
}

#[test]
fn an_error_code_is_found_in_the_members_that_issuers_use() {
    for body in [
        r#"{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id' parameter."}"#,
        r#"{"ErrorCode":"invalid_client","Error":"ClientId is Invalid"}"#,
        r#"{"code":"invalid_client","message":"no"}"#,
        r#"{"error":{"code":"invalid_client","message":"no"}}"#,
        r#"{"detail":{"error":"invalid_client"}}"#,
        r#"{"fault":{"code":"invalid_client"}}"#,
    ] {
        assert_eq!(word(400, false, body), RefusalKind::Credential, "{body}");
    }
}

#[test]
fn an_error_code_of_an_issuer_failure_is_not_a_rejection() {
    for (code, wanted) in [
        ("server_error", RefusalKind::IssuerFailure),
        ("temporarily_unavailable", RefusalKind::IssuerFailure),
        ("internal_failure", RefusalKind::IssuerFailure),
        ("internal_error", RefusalKind::IssuerFailure),
        ("Internal Server Error", RefusalKind::IssuerFailure),
        ("slow_down", RefusalKind::SlowDown),
        ("ratelimited", RefusalKind::SlowDown),
        ("rate_limit_exceeded", RefusalKind::SlowDown),
        ("too_many_requests", RefusalKind::SlowDown),
    ] {
        let body = format!(r#"{{"error":"{code}"}}"#);
        for status in [400, 401, 403, 404] {
            for is_challenge in [false, true] {
                assert_eq!(word(status, is_challenge, &body), wanted, "{status} {code}");
            }
        }
    }
    let both = r#"{"error":"invalid_request","error_code":"server_error"}"#;
    assert_eq!(word(400, false, both), RefusalKind::IssuerFailure);
}

#[test]
fn a_4xx_without_an_oauth_error_is_not_from_an_issuer() {
    let long = format!(r#"{{"error":"invalid_{}"}}"#, "a".repeat(200));
    for body in [
        "",
        "not found",
        "<html><body>404 Not Found</body></html>",
        "default backend - 404",
        "[]",
        "{}",
        r#"{"message":"no Route matched with those values"}"#,
        r#"{"message":"Missing Authentication Token"}"#,
        r#"{"timestamp":"2026-11-30","status":404,"error":"Not Found","path":"/oauth/token"}"#,
        r#"{"status":415,"error":"Unsupported Media Type"}"#,
        r#"{"error":"Realm does not exist"}"#,
        r#"{"error":"Forbidden"}"#,
        r#"{"error":"RESTEASY003210: Could not find resource for full path"}"#,
        r#"{"fault":{"code":900902,"message":"Missing Credentials"}}"#,
        r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#,
        r#"{"error":"invalid"}"#,
        r#"{"error":["invalid_client"]}"#,
        r#"{"code":403,"message":"Forbidden"}"#,
        r#"{"error":"invalid_client","error":"invalid_client"}"#,
        &long,
    ] {
        for status in [
            400, 402, 403, 404, 405, 406, 409, 410, 411, 415, 421, 422, 451, 499,
        ] {
            assert_eq!(
                word(status, false, body),
                RefusalKind::NotAnIssuer,
                "{status} {body}"
            );
        }
    }
}

#[test]
fn a_401_is_a_rejection_with_a_challenge_and_ambiguous_without() {
    for body in [
        "",
        "<html>starting</html>",
        "{}",
        r#"{"message":"Unauthorized"}"#,
        r#"{"status":401,"error":"Unauthorized","path":"/oauth/token"}"#,
        r#"{"error":"unauthorized","error_description":"Bad credentials"}"#,
        r#"{"code":401,"message":"no"}"#,
    ] {
        assert_eq!(word(401, true, body), RefusalKind::Credential, "{body}");
        assert_eq!(word(401, false, body), RefusalKind::Ambiguous, "{body}");
    }
    let fault = RefusalKind::Ambiguous.fault("https://a.example", 401, "");
    assert_eq!(fault.kind, FaultKind::Rejected);
    assert!(!fault.is_of_credential(), "{fault:?}");
    assert!(
        RefusalKind::Credential
            .fault("x", 401, "")
            .is_of_credential()
    );
}

#[test]
fn a_status_that_is_not_a_refusal_is_classified_without_the_body() {
    for (status, wanted) in [
        (407, RefusalKind::Proxy),
        (408, RefusalKind::IssuerFailure),
        (425, RefusalKind::IssuerFailure),
        (429, RefusalKind::SlowDown),
    ] {
        for body in ["", r#"{"error":"invalid_client"}"#] {
            assert_eq!(word(status, true, body), wanted, "{status} {body}");
        }
    }
}

#[test]
fn a_runai_error_is_a_rejection_only_with_400_401_and_403() {
    let judge = |status, body: &str| {
        let members = Members::parse(body.as_bytes());
        RefusalKind::of(status, false, members.as_ref(), true)
    };
    let own = |status| format!(r#"{{"code":{status},"message":"no","details":"x"}}"#);
    for (status, wanted) in [
        (400, RefusalKind::Credential),
        (401, RefusalKind::Credential),
        (403, RefusalKind::Credential),
        (404, RefusalKind::NotAnIssuer),
        (405, RefusalKind::NotAnIssuer),
        (409, RefusalKind::NotAnIssuer),
    ] {
        assert_eq!(judge(status, &own(status)), wanted, "{status}");
        let members = own(status);
        let elsewhere = word(status, false, &members);
        let is_elsewhere = status != 401 && elsewhere == RefusalKind::Credential;
        assert!(!is_elsewhere, "{status}: not of any other issuer");
    }
    for body in [
        r#"{"code":403}"#,
        r#"{"message":"Forbidden"}"#,
        r#"{"code":"403","message":"Forbidden"}"#,
        r#"{"code":403,"message":7}"#,
        "{}",
    ] {
        assert_eq!(judge(403, body), RefusalKind::NotAnIssuer, "{body}");
    }
}

#[test]
fn a_response_not_from_the_issuer_is_described_with_its_status() {
    let text = |word: RefusalKind, status| word.fault("https://a.example", status, "").detail;
    assert_eq!(
        text(RefusalKind::NotAnIssuer, 404),
        "https://a.example: no token endpoint at this address (404)"
    );
    assert_eq!(
        text(RefusalKind::NotAnIssuer, 403),
        "https://a.example: no token endpoint at this address (403); a firewall or a gateway may have answered in its place"
    );
    assert_eq!(
        text(RefusalKind::Proxy, 407),
        "https://a.example: a proxy in front of it demands a user name and a password (407)"
    );
}
