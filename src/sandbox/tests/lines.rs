//! The answers of each line, field by field.

use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::sandbox::UnknownPath;

#[tokio::test]
async fn release_2_24_has_both_token_endpoints_each_with_its_own_spelling() {
    let sandbox = start(Line::V2_24).await;
    let reply = v2(&sandbox).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(
        reply.json(),
        json!({"access_token": reply.token(), "token_type": "Bearer", "expires_in": 3_600})
    );
    let reply = v1(&sandbox).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({"accessToken": reply.token(), "expiresIn": 3_600})
    );
    let date = httpdate::parse_http_date(reply.header("date").unwrap()).unwrap();
    assert!(
        date.duration_since(std::time::UNIX_EPOCH).unwrap() > Duration::from_secs(1_700_000_000)
    );
}

#[tokio::test]
async fn release_2_23_has_no_v2_and_its_v1_states_no_expiry() {
    let sandbox = start(Line::V2_23).await;
    let reply = v1(&sandbox).await;
    assert_eq!(reply.json(), json!({"accessToken": reply.token()}));
    let reply = v2(&sandbox).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert_eq!(sandbox.stats().granted, 1);

    let sandbox = Sandbox::start(Options {
        unknown_path: UnknownPath::NotFound,
        ..options(Line::V2_23)
    })
    .await
    .unwrap();
    let reply = v2(&sandbox).await;
    assert_eq!((reply.status, &reply.json()["code"]), (404, &json!(404)));
}

#[tokio::test]
async fn a_rejected_request_gets_the_error_format_of_its_endpoint() {
    let sandbox = start(Line::V2_24).await;
    let wrong = GOOD_FORM.replace("s3cret", "secret");
    let reply = post(&sandbox, "/api/v2/token", FORM, &wrong).await;
    assert_eq!(reply.status, 401);
    assert_eq!(
        reply.json(),
        json!({"error": "invalid_client", "error_description": "Client authentication failed"})
    );
    for (body, error) in [
        ("grant_type=client_credentials", "invalid_request"),
        (
            "grant_type=magic&client_id=app&client_secret=x",
            "unsupported_grant_type",
        ),
    ] {
        let reply = post(&sandbox, "/api/v2/token", FORM, body).await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!(error)));
    }
    let wrong = GOOD_JSON.replace("s3cret", "secret");
    let reply = post(&sandbox, "/api/v1/token", "application/json", &wrong).await;
    assert_eq!((reply.status, &reply.json()["code"]), (401, &json!(401)));
    assert!(reply.json()["message"].is_string());
    let reply = post(&sandbox, "/api/v1/token", "application/json", "{}").await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["message"], "Required parameter is missing");
    assert_eq!(
        post(&sandbox, "/api/v1/token", FORM, GOOD_JSON)
            .await
            .status,
        400
    );
    let stats = sandbox.stats();
    assert_eq!(
        (stats.token_requests, stats.granted, stats.rejected),
        (6, 0, 6)
    );
}

#[tokio::test]
async fn requests_that_are_not_token_requests_get_an_http_error() {
    let sandbox = start(Line::V2_24).await;
    let reply = ask(&sandbox.url(), "GET", "/api/v2/token", "", "").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    let reply = ask(&sandbox.url(), "POST", "/api/v1/clusters", "", "").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET")));
    let reply = ask(&sandbox.url(), "GET", "/favicon.ico", "", "").await;
    assert_eq!(reply.status, 200);
    assert!(reply.body.starts_with(b"<!DOCTYPE html>"));

    // the body is announced but not sent: the answer must not wait for it
    let head = format!(
        "POST /api/v2/token HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Length: 65537\r\n\r\n"
    );
    let mut stream = connect(&sandbox.url(), &head).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");

    let chunked = format!(
        "POST /api/v2/token HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {FORM}\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{GOOD_FORM}\r\n0\r\n\r\n",
        GOOD_FORM.len()
    );
    let mut stream = connect(&sandbox.url(), &chunked).await.unwrap();
    assert_eq!(Reply::parse(&read_all(&mut stream).await.0).status, 200);
}

#[tokio::test]
async fn a_token_is_accepted_by_other_endpoints_until_it_is_revoked() {
    let sandbox = start(Line::V2_24).await;
    let token = v2(&sandbox).await.token();
    assert_eq!(
        probe(&sandbox, &token).await.json()[0]["actions"],
        json!(["read"])
    );
    let bearer = format!("authorization: bearer {token}\r\n");
    let reply = ask(
        &sandbox.url(),
        "GET",
        "/api/v1/clusters?verbosity=metadata",
        &bearer,
        "",
    )
    .await;
    assert_eq!(
        (reply.status, &reply.json()[0]["version"]),
        (200, &json!("2.24.1"))
    );

    sandbox.revoke_all();
    let reply = probe(&sandbox, &token).await;
    assert_eq!(
        (reply.status, &reply.json()["message"]),
        (401, &json!("Issuer is not familiar."))
    );
    assert_eq!(
        ask(&sandbox.url(), "GET", "/api/v1/clusters", "", "")
            .await
            .status,
        401
    );
    assert_eq!(
        probe(&sandbox, &v2(&sandbox).await.token()).await.status,
        200
    );
    let stats = sandbox.stats();
    assert_eq!((stats.resource_ok, stats.resource_unauthorized), (3, 2));
}

#[tokio::test]
async fn a_replaced_secret_is_the_only_valid_one_and_tokens_stay_valid() {
    let sandbox = start(Line::V2_24).await;
    let token = v2(&sandbox).await.token();
    sandbox.set_secret(ClientSecret::parse("new").unwrap());
    assert_eq!(v2(&sandbox).await.status, 401);
    assert_eq!(v1(&sandbox).await.status, 401);
    let new = "grant_type=client_credentials&client_id=app&client_secret=new";
    assert_eq!(post(&sandbox, "/api/v2/token", FORM, new).await.status, 200);
    assert_eq!(probe(&sandbox, &token).await.status, 200);
}

#[tokio::test]
async fn requests_are_recorded_without_values_and_all_tokens_are_recorded() {
    let sandbox = start(Line::V2_24).await;
    let tokens = [
        v2(&sandbox).await.token(),
        v1(&sandbox).await.token(),
        v2(&sandbox).await.token(),
    ];
    assert_eq!(sandbox.issued(), tokens);
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), 3);
    let seen = sandbox.requests();
    assert_eq!(seen.len(), 3);
    assert_eq!(
        (seen[0].path.as_str(), seen[0].content_type.as_deref()),
        ("/api/v2/token", Some(FORM))
    );
    assert_eq!(
        seen[0].field_names,
        ["grant_type", "client_id", "client_secret"]
    );
    assert_eq!(
        seen[0].header_names,
        ["host", "content-type", "connection", "content-length"]
    );
    let names: HashSet<_> = seen[1].field_names.iter().map(String::as_str).collect();
    assert_eq!(
        names,
        HashSet::from(["grantType", "clientID", "clientSecret"])
    );
    assert!(!format!("{seen:?} {sandbox:?}").contains("s3cret"));
}

#[tokio::test]
async fn impossible_options_are_refused_before_any_port_is_opened() {
    let outside = Options {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..options(Line::V2_24)
    };
    let outside_control = Options {
        control: "192.0.2.1:0".parse().unwrap(),
        ..options(Line::V2_24)
    };
    let instant = Options {
        token_life: Duration::from_millis(999),
        ..options(Line::V2_24)
    };
    let endless = Options {
        token_life: Duration::MAX,
        ..options(Line::V2_24)
    };
    let nobody = Options {
        client_id: String::new(),
        ..options(Line::V2_24)
    };
    for bad in [outside, outside_control, instant, endless, nobody] {
        assert_eq!(
            Sandbox::start(bad).await.unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
