use super::*;

const SECRET: &str = "canary-secret &%";

fn answer(status: u16, content_type: &str, body: &[u8]) -> IssuerResponse {
    IssuerResponse {
        status,
        content_type: Some(content_type.to_owned()),
        date: None,
        retry_after: None,
        location: None,
        coding: None,
        is_challenge: false,
        body: Zeroizing::new(body.to_vec()),
    }
}

fn judge(answer: IssuerResponse, spelling: Spelling) -> Result<Grant, Fault> {
    let credential = Credential::parse("id", SECRET).unwrap();
    let result = answer.into_grant(
        spelling,
        RequestContext {
            at: "https://a.example",
            credential: &credential,
            token_type: None,
            has_vendor_errors: true,
        },
    );
    if let Err(fault) = &result {
        assert!(fault.detail.starts_with("https://a.example"), "{fault:?}");
        assert!(
            !format!("{fault:?}").to_lowercase().contains("canary"),
            "{fault:?}"
        );
        assert!(
            fault.detail.bytes().all(|b| (b' '..=b'~').contains(&b)),
            "{fault:?}"
        );
    }
    result
}

fn ok(body: &str) -> Result<Grant, Fault> {
    judge(
        answer(200, "application/json", body.as_bytes()),
        Spelling::Snake,
    )
}

fn refused(status: u16, body: &str) -> Fault {
    judge(
        answer(status, "application/json", body.as_bytes()),
        Spelling::Camel,
    )
    .unwrap_err()
}

#[test]
fn a_token_response_is_parsed_in_both_spellings() {
    for (body, spelling, token, lifetime) in [
        (
            r#"{"access_token":"s","token_type":"Bearer","expires_in":3600}"#,
            Spelling::Snake,
            "s",
            Some(3_600),
        ),
        (
            r#"{"accessToken":"c","expiresIn":3600}"#,
            Spelling::Camel,
            "c",
            Some(3_600),
        ),
        (r#"{"accessToken":"c"}"#, Spelling::Camel, "c", None),
        (
            r#"{"accessToken":"c","expiresIn":60}"#,
            Spelling::Snake,
            "c",
            Some(60),
        ),
        (
            r#"{"access_token":"s","expires_in":60}"#,
            Spelling::Camel,
            "s",
            Some(60),
        ),
        (
            r#"{"access_token":"s","accessToken":"c","expires_in":1,"expiresIn":2}"#,
            Spelling::Snake,
            "s",
            Some(1),
        ),
        (
            r#"{"access_token":"s","accessToken":"c","expires_in":1,"expiresIn":2}"#,
            Spelling::Camel,
            "c",
            Some(2),
        ),
        (
            r#"{"access_token":null,"accessToken":"c","expires_in":null}"#,
            Spelling::Snake,
            "c",
            None,
        ),
        (
            r#"{"access_token":"s","token_type":"bEARER","refresh_token":"r","x":[[{}]]}"#,
            Spelling::Snake,
            "s",
            None,
        ),
        (
            r#"{"access_token":"a\/b\u002bc","error":null}"#,
            Spelling::Snake,
            "a/b+c",
            None,
        ),
        (
            " \r\n{\"access_token\":\"s\"}\n ",
            Spelling::Snake,
            "s",
            None,
        ),
    ] {
        let grant = judge(answer(200, "application/json", body.as_bytes()), spelling).unwrap();
        assert_eq!(grant.token.expose(), token, "{body}");
        assert_eq!(grant.lifetime, lifetime.map(Duration::from_secs), "{body}");
    }
}

#[test]
fn a_json_token_is_accepted_regardless_of_its_content_type() {
    for (kind, claims) in [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("application/problem+json", true),
        ("text/html", false),
        ("text/plain", false),
        ("application/jsonx", false),
        ("text/html; application/json", false),
        ("application/x-www-form-urlencoded", false),
        ("", false),
    ] {
        for (body, is_grant) in [
            (r#"{"access_token":"t"}"#, true),
            ("\u{feff}{\"access_token\":\"t\"}", true),
            (" \r\n{\"access_token\":\"t\"}", true),
            ("<html>canary</html>", false),
        ] {
            for status in [200, 201] {
                let answer = answer(status, kind, body.as_bytes());
                assert_eq!(answer.is_json(), claims, "{kind}");
                assert_eq!(answer.is_absent(), !is_grant, "{kind} {body}");
                let result = judge(answer, Spelling::Snake).map_err(|fault| fault.kind);
                assert_eq!(
                    result.err(),
                    (!is_grant).then_some(FaultKind::Malformed),
                    "{kind} {body}"
                );
            }
        }
        // If the body starts as neither, the type decides.
        for body in ["", "canary", "access_token=canary"] {
            let answer = answer(200, kind, body.as_bytes());
            assert_eq!(answer.is_absent(), !claims, "{kind} {body}");
            let fault = judge(answer, Spelling::Snake).unwrap_err();
            assert_eq!(fault.kind, FaultKind::Malformed, "{kind} {body}");
        }
    }
    let untyped = IssuerResponse {
        content_type: None,
        ..answer(200, "", br#"{"access_token":"t"}"#)
    };
    assert!(judge(untyped, Spelling::Snake).is_ok());
}

#[test]
fn an_empty_error_beside_a_token_is_ignored() {
    for error in ["\"\"", "null", "0", "false"] {
        let grant = ok(&format!(r#"{{"access_token":"t","error":{error}}}"#));
        assert_eq!(grant.unwrap().token.expose(), "t", "{error}");
        let fault = ok(&format!(r#"{{"error":{error}}}"#)).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{error}");
    }
}

#[test]
fn a_200_with_an_error_and_no_token_is_classified_as_a_refusal() {
    for body in [
        r#"{"error":"invalid_client","error_description":"no"}"#,
        r#"{"ok":false,"error":"invalid_auth"}"#,
        r#"{"error":"server_error"}"#,
        r#"{"error":"invalid_scope","access_token":""}"#,
        r#"{"error":"invalid_scope","access_token":null}"#,
        r#"{"error":{"a":"canary"}}"#,
    ] {
        let refusal = refused(400, body);
        for (status, shown) in [(200, "(200)"), (201, "(201)")] {
            let fault = refused(status, body);
            assert_eq!(fault.kind, refusal.kind, "{body}");
            assert_eq!(
                fault.detail,
                refusal.detail.replace("(400)", shown),
                "{body}"
            );
        }
    }
}

#[test]
fn a_token_of_another_type_is_refused_with_the_reason() {
    let of_type = |kind: &str, declared| {
        let body = format!(r#"{{"access_token":"canary-token","token_type":{kind}}}"#);
        let credential = Credential::parse("id", SECRET).unwrap();
        let asked = RequestContext {
            at: "https://a.example",
            credential: &credential,
            token_type: declared,
            has_vendor_errors: false,
        };
        answer(200, "application/json", body.as_bytes()).into_grant(Spelling::Snake, asked)
    };
    for (kind, reason) in [
        ("\"DPoP\"", "of the type DPoP, which is bound to a key"),
        (
            "\"mac\"",
            "of the type MAC, with which each request has to be signed",
        ),
        ("\"N_A\"", "of the type N_A, which is not an access token"),
        (
            "\"JWT\"",
            "of the type \"JWT\", not of the type Bearer; if it is used like a bearer token, set token-type",
        ),
        ("\"canary-token\"", "of the type \"[token]\", not"),
        ("[\"bearer\"]", "whose token_type is not a text"),
    ] {
        let fault = of_type(kind, None).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{kind}");
        assert!(fault.detail.contains(reason), "{fault:?} / {reason}");
        assert!(!fault.detail.contains("canary"), "{fault:?}");
    }
    assert!(of_type("\"JWT\"", Some("jwt")).is_ok());
    assert!(of_type("\"DPoP\"", Some("DPoP")).is_err());
}

#[test]
fn an_invalid_lifetime_does_not_reject_the_token() {
    for (raw, read) in [
        ("3600", Some(3_600)),
        ("\"3600\"", Some(3_600)),
        ("3600.0", Some(3_600)),
        ("\"3600.0\"", Some(3_600)),
        ("3.6e3", Some(3_600)),
        ("0", Some(0)),
        ("-1", None),
        ("null", None),
        ("true", None),
        ("[]", None),
        ("{}", None),
        ("\"NaN\"", None),
        ("1e400", Some(86_400)),
        ("2147483648", Some(86_400)),
        ("9223372036854775808", Some(86_400)),
        ("18446744073709551616", Some(86_400)),
        ("100000000000000000000000000", Some(86_400)),
        ("\"3600s\"", None),
        ("\" 3600 \"", Some(3_600)),
    ] {
        let grant = ok(&format!(r#"{{"access_token":"t","expires_in":{raw}}}"#)).unwrap();
        assert_eq!(grant.lifetime, read.map(Duration::from_secs), "{raw}");
        assert_eq!((grant.stated, grant.shown), (read.is_some(), None), "{raw}");
        // The end in the token itself is the latest possible one. e30 is {}; the payload is exp 60, iat 0.
        let jwt = "e30.eyJleHAiOjYwLCJpYXQiOjB9.c2ln";
        let grant = ok(&format!(r#"{{"access_token":"{jwt}","expires_in":{raw}}}"#)).unwrap();
        let shown = Some(Duration::from_secs(60));
        assert_eq!((grant.lifetime, grant.shown), (shown, shown), "{raw}");
        assert_eq!(grant.stated, read.is_some_and(|read| read > 0), "{raw}");
    }
    for raw in [
        "NaN",
        "Infinity",
        "",
        "0x10",
        "1,\"expires_in\":1",
        "1,\"expires\\u005fin\":1",
    ] {
        let body = format!(r#"{{"access_token":"canary","expires_in":{raw}}}"#);
        assert_eq!(ok(&body).unwrap_err().kind, FaultKind::Malformed, "{raw}");
    }
}

#[test]
fn a_200_without_a_usable_token_is_malformed() {
    let long = format!(
        r#"{{"access_token":"canary{}"}}"#,
        "a".repeat(crate::token::MAX_TOKEN_LEN)
    );
    let deep = format!(
        r#"{{"access_token":"canary","x":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let secret_echo =
        format!(r#"{{"access_token":"canary","error":"x","error_description":"{SECRET}"}}"#);
    for body in [
        "",
        "null",
        "[]",
        "\"canary\"",
        "{}",
        "<html>canary</html>",
        "canary",
        "{\"access_token\":\"canary\"",
        "{\"access_token\":\"canary\"}{\"access_token\":\"canary\"}",
        "{\"access_token\":\"canary\"}x",
        "{\"access_token\":\"canary\",\"access_token\":\"canary\"}",
        "{\"access_token\":\"canary\",\"x\":1,\"x\":2}",
        r#"{"error":"x","access_token":"canary"}"#,
        r#"{"code":200,"message":"no"}"#,
        r#"{"access_token":""}"#,
        r#"{"access_token":null}"#,
        r#"{"access_token":5}"#,
        r#"{"access_token":["canary"]}"#,
        r#"{"access_token":"canary b"}"#,
        r#"{"access_token":"canary\n"}"#,
        r#"{"access_token":"canary\r\nX: y"}"#,
        r#"{"access_token":"canary\u0000"}"#,
        r#"{"access_token":"canary\u007f"}"#,
        r#"{"access_token":"canaryé"}"#,
        r#"{"access_token":"\"canary \""}"#,
        r#"{"access_token":"canary\ud800"}"#,
        r#"{"access_token":"Bearer canary"}"#,
        r#"{"access_token":"canary","token_type":"mac"}"#,
        r#"{"access_token":"canary","token_type":["bearer"]}"#,
        r#"{"access_token":"canary","token_type":"canary bearer"}"#,
        r#"{"id_token":"canary"}"#,
        &long,
        &deep,
        &secret_echo,
    ] {
        let fault = ok(body).unwrap_err();
        assert_eq!(
            (fault.kind, fault.retry_after),
            (FaultKind::Malformed, None),
            "{body:.60}"
        );
    }
    let latin1 = answer(
        200,
        "application/json",
        b"{\"access_token\":\"canary\xe9\"}",
    );
    assert_eq!(
        judge(latin1, Spelling::Snake).unwrap_err().kind,
        FaultKind::Malformed
    );
}

#[test]
fn every_printable_character_but_the_space_may_be_in_a_token() {
    for token in [
        ('!'..='~').collect(),
        // Salesforce, Amazon, eBay.
        "00D!AQ4AQPzX".to_owned(),
        "Atza|IQEBLjAsAhRmHjNgHpi0U".to_owned(),
        "v^1.1#i^1#p^1#r^0#I^3#f^0#t^H4sIAAAA".to_owned(),
        "a".repeat(16_385),
        "\\".repeat(crate::token::MAX_TOKEN_LEN),
    ] {
        let body = serde_json::json!({ "access_token": token, "expires_in": 60 });
        let grant = ok(&body.to_string()).unwrap();
        assert_eq!(grant.token.expose(), token);
    }
}

#[test]
fn an_unexpected_content_coding_is_reported_unless_the_body_is_json() {
    let coded = |status, body: &[u8]| IssuerResponse {
        coding: Some("br".to_owned()),
        ..answer(status, "application/json", body)
    };
    let grant = judge(coded(200, br#"{"access_token":"t"}"#), Spelling::Snake);
    assert_eq!(grant.unwrap().token.expose(), "t");
    for (status, kind) in [
        (200, FaultKind::Malformed),
        (429, FaultKind::RateLimited),
        (500, FaultKind::ServerError),
    ] {
        let fault = judge(coded(status, b"\x8b\x03canary"), Spelling::Snake).unwrap_err();
        assert_eq!(fault.kind, kind, "{fault:?}");
        let named = "in a coding that was not asked for (br)";
        assert!(fault.detail.contains(named), "{fault:?}");
    }
}

#[test]
fn a_status_other_than_4xx_decides_regardless_of_the_body() {
    let bodies = [
        "",
        "{}",
        "<html>canary</html>",
        "{\"access_token\":\"canary\"}",
        r#"{"error":"invalid_client"}"#,
        r#"{"code":400,"message":"Required parameter is missing","details":"clientID"}"#,
        "{\"error\":[\"canary\"]}",
    ];
    for (status, kind) in [
        (202, FaultKind::Malformed),
        (204, FaultKind::Malformed),
        (300, FaultKind::Redirect),
        (301, FaultKind::Redirect),
        (302, FaultKind::Redirect),
        (303, FaultKind::Redirect),
        (304, FaultKind::Redirect),
        (307, FaultKind::Redirect),
        (308, FaultKind::Redirect),
        (408, FaultKind::ServerError),
        (425, FaultKind::ServerError),
        (429, FaultKind::RateLimited),
        (500, FaultKind::ServerError),
        (502, FaultKind::ServerError),
        (503, FaultKind::ServerError),
        (504, FaultKind::ServerError),
        (599, FaultKind::ServerError),
    ] {
        for body in bodies {
            let fault = refused(status, body);
            assert_eq!(fault.kind, kind, "{status} {body}");
            assert!(fault.detail.contains(&format!("({status})")), "{fault:?}");
        }
    }
}

#[test]
fn a_4xx_is_a_rejection_only_if_its_error_is_about_the_credential() {
    const OWN: &str = r#"{"code":400,"message":"no"}"#;
    for (status, body, kind) in [
        (400, r#"{"error":"invalid_client"}"#, FaultKind::Rejected),
        (404, r#"{"error":"invalid_client"}"#, FaultKind::Rejected),
        (400, OWN, FaultKind::Rejected),
        (403, OWN, FaultKind::Rejected),
        (404, OWN, FaultKind::NoEndpoint),
        (400, "{}", FaultKind::NoEndpoint),
        (403, "<html>canary</html>", FaultKind::NoEndpoint),
        (404, "", FaultKind::NoEndpoint),
        (405, "{\"error\":[\"canary\"]}", FaultKind::NoEndpoint),
        (407, r#"{"error":"invalid_client"}"#, FaultKind::NoEndpoint),
        (410, "{\"access_token\":\"canary\"}", FaultKind::NoEndpoint),
        (415, "{}", FaultKind::NoEndpoint),
        (
            400,
            r#"{"error":"temporarily_unavailable"}"#,
            FaultKind::ServerError,
        ),
        (401, r#"{"error":"server_error"}"#, FaultKind::ServerError),
        (400, r#"{"error":"slow_down"}"#, FaultKind::RateLimited),
    ] {
        let fault = refused(status, body);
        assert_eq!(fault.kind, kind, "{status} {body}");
        assert!(fault.detail.contains(&format!("({status})")), "{fault:?}");
    }
}

#[test]
fn an_error_is_parsed_as_json_regardless_of_its_content_type() {
    for content_type in [
        "text/html",
        "text/plain; charset=utf-8",
        "",
        "application/octet-stream",
    ] {
        let body = br#"{"error":"invalid_client"}"#;
        let fault = judge(answer(400, content_type, body), Spelling::Snake).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Rejected, "{content_type}");
        let fault = judge(answer(404, content_type, b"{}"), Spelling::Snake).unwrap_err();
        assert_eq!(fault.kind, FaultKind::NoEndpoint, "{content_type}");
    }
}

#[test]
fn a_fault_quotes_only_the_error_text_of_the_issuer() {
    for (body, said) in [
        (
            r#"{"error":"invalid_client","error_description":"Client authentication failed","x":"canary"}"#,
            r#"(401): "invalid_client: Client authentication failed""#,
        ),
        (
            r#"{"code":401,"message":"Issuer is not familiar."}"#,
            r#"(401): "Issuer is not familiar.""#,
        ),
        (
            r#"{"code":401,"message":"not now","details":"later"}"#,
            r#"(401): "not now: later""#,
        ),
        (
            r#"{"error":"Invalid credentials"}"#,
            r#"(401): "Invalid credentials""#,
        ),
        (r#"{"error":{"message":"canary"}}"#, "(401)"),
        (r#"{"error":"a","error":"canary"}"#, "(401)"),
        ("\"canary\"", "(401)"),
        (
            r#"{"message":"not \u001b[2J\u202e \"here\""}"#,
            r#"(401): "[...] [[...]""#,
        ),
        (
            r#"{"message":"no canary-secret &% here, nor CANARY-SECRET+%26%25"}"#,
            r#"(401): "no [secret] here, nor [secret]""#,
        ),
        (
            r#"{"message":"token eyJhbGciOiJSUzI1NiJ9.canary.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
            r#"(401): "token [...]""#,
        ),
    ] {
        let fault = refused(401, body);
        assert!(fault.detail.ends_with(said), "{} / {said}", fault.detail);
    }
    for kind in ["text/html", "text/plain", ""] {
        let said = answer(401, kind, br#"{"error":"invalid_client"}"#);
        let said = judge(said, Spelling::Snake).unwrap_err();
        assert!(
            said.detail.ends_with(r#"(401): "invalid_client""#),
            "{said:?}"
        );
    }
    let html = answer(401, "text/html", b"<html>canary</html>");
    let html = judge(html, Spelling::Snake).unwrap_err();
    assert!(html.detail.ends_with("(401)"), "{html:?}");
    assert!(
        refused(400, &format!(r#"{{"error":"{}"}}"#, "a ".repeat(5_000)))
            .detail
            .len()
            < 400
    );
}

#[test]
fn a_redirect_is_reported_with_the_target_origin_only() {
    for (location, shown) in [
        (
            Some("https://u:canary@login.example:8443/canary?canary#canary"),
            r#"(302) to "https://login.example:8443", "#,
        ),
        (
            Some("https://sso.contoso.com/"),
            r#"(302) to "https://sso.contoso.com", "#,
        ),
        (Some("http://[::1]:9/"), r#"(302) to "http://[::1]:9", "#),
        (Some("/canary"), "(302), "),
        (Some("\u{1b}canary"), "(302), "),
        (
            Some("x://canary-secret+%26%25/"),
            r#"(302) to "[...][secret]", "#,
        ),
        (None, "(302), "),
    ] {
        let mut answer = answer(302, "text/html", b"canary");
        answer.location = location.map(str::to_owned);
        let fault = judge(answer, Spelling::Snake).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Redirect);
        assert!(fault.detail.contains(shown), "{} / {shown}", fault.detail);
    }
}

#[test]
fn retry_after_is_parsed_as_seconds_or_relative_to_the_response_date() {
    const NOW: Option<&str> = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    for (retry_after, date, wait) in [
        ("0", None, Some(0)),
        ("120", None, Some(120)),
        (" 7 ", NOW, Some(7)),
        ("1\n30", None, Some(30)),
        ("30\n1", None, Some(30)),
        ("30, 30", None, Some(30)),
        ("1,40 , ", None, Some(40)),
        ("soon\n9", None, Some(9)),
        ("5\nSun, 06 Nov 1994 08:50:37 GMT", NOW, Some(60)),
        ("5\nSun, 06 Nov 1994 08:50:37 GMT", None, Some(5)),
        (",", None, None),
        ("18446744073709551615", None, Some(u64::MAX)),
        ("99999999999999999999999999", None, Some(u64::MAX)),
        ("Sun, 06 Nov 1994 08:50:37 GMT", NOW, Some(60)),
        ("Sunday, 06-Nov-94 08:50:37 GMT", NOW, Some(60)),
        ("Sun Nov  6 08:50:37 1994", NOW, Some(60)),
        ("Sun, 06 Nov 1994 08:48:37 GMT", NOW, Some(0)),
        ("Sun, 06 Nov 1994 08:50:37 GMT", None, None),
        ("Sun, 06 Nov 1994 08:50:37 GMT", Some("soon"), None),
        ("Sun, 06 Nov 1994 08:50:37 +0100", NOW, None),
        ("", NOW, None),
        ("-1", NOW, None),
        ("1.5", NOW, None),
        ("1e9", NOW, None),
        ("soon", NOW, None),
    ] {
        for status in [429, 503, 500, 401, 400, 403, 302, 404, 413, 202, 200] {
            let mut answer = answer(status, "application/json", b"{}");
            (answer.retry_after, answer.date) =
                (Some(retry_after.to_owned()), date.map(str::to_owned));
            let fault = judge(answer, Spelling::Snake).unwrap_err();
            assert_eq!(
                fault.retry_after,
                wait.map(Duration::from_secs),
                "{status} {retry_after}"
            );
        }
    }
}

#[test]
fn a_retry_after_date_uses_our_clock_if_the_response_has_no_date() {
    const UNTIL: &str = "Sun, 06 Nov 1994 08:50:37 GMT";
    let unix = Some(Duration::from_secs(784_111_837));
    for (status, retry_after, date, wanted) in [
        (429, UNTIL, None, unix),
        (503, UNTIL, Some("soon"), unix),
        (429, UNTIL, Some("Sun, 06 Nov 1994 08:49:37 GMT"), None),
        (429, "60", None, None),
        (429, "Thu, 01 Jan 1969 00:00:00 GMT", None, None),
        (401, UNTIL, None, unix),
    ] {
        let mut answer = answer(status, "application/json", b"{}");
        answer.retry_after = Some(retry_after.to_owned());
        answer.date = date.map(str::to_owned);
        let mut fault = judge(answer, Spelling::Snake).unwrap_err();
        assert_eq!(fault.retry_at, wanted, "{status} {retry_after} {date:?}");
        let before = fault.retry_after;
        fault.resolve_retry_at(Duration::from_secs(784_111_777));
        let wait = wanted.map(|_| Duration::from_secs(60));
        assert_eq!((fault.retry_after, fault.retry_at), (before.or(wait), None));
    }
}

#[test]
fn a_valid_date_header_is_parsed() {
    for (date, read) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Thu, 01 Jan 1969 00:00:00 GMT", None),
        ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ("1994-11-06T08:49:37Z", None),
        ("", None),
        (&"9".repeat(5_000), None),
    ] {
        let answer = IssuerResponse {
            date: Some(date.to_owned()),
            ..answer(200, "", b"")
        };
        assert_eq!(
            answer.server_date().map(UnixTime::seconds_down),
            read,
            "{date:.40}"
        );
    }
}

/// The answer's own `Date` is used, since the token may be an old one.
#[test]
fn a_jwt_expired_at_the_response_date_is_refused() {
    let jwt = "e30.eyJleHAiOjYwLCJpYXQiOjB9.c2ln";
    let body = format!(r#"{{"access_token":"{jwt}","expires_in":3600}}"#);
    for (date, left) in [
        ("Thu, 01 Jan 1970 00:00:20 GMT", Some(40)),
        ("Thu, 01 Jan 1970 00:00:59 GMT", Some(1)),
        ("Thu, 01 Jan 1970 00:01:00 GMT", Some(0)),
        ("Thu, 01 Jan 1970 00:01:01 GMT", None),
        ("Mon, 30 Nov 2026 00:00:00 GMT", None),
        ("soon", Some(60)),
    ] {
        let mut answer = answer(200, "application/json", body.as_bytes());
        answer.date = Some(date.to_owned());
        match (judge(answer, Spelling::Snake), left) {
            (Ok(grant), Some(left)) => {
                assert_eq!(grant.lifetime, Some(Duration::from_secs(left)), "{date}");
            }
            (Err(fault), None) => {
                assert_eq!(fault.kind, FaultKind::Malformed, "{fault:?}");
                assert!(fault.detail.contains("had expired already"), "{fault:?}");
            }
            (other, _) => panic!("{date}: {other:?}"),
        }
    }
}
