//! Tests of the provider against every version of the sandbox.

use super::*;
use crate::config::BaseUrl;
use crate::sandbox::{Fault as Broken, Line, Options, Sandbox, UnknownPath};

const SECRET: &str = "canary&=+% \"\\/'~";

fn options(line: Line) -> Options {
    Options::new(line, "my id", secret(SECRET))
}

fn secret(text: &str) -> crate::credential::ClientSecret {
    crate::credential::ClientSecret::parse(text).unwrap()
}

async fn start(line: Line) -> Sandbox {
    Sandbox::start(options(line)).await.unwrap()
}

fn provider(sandbox: &Sandbox, api: Api) -> Runai {
    let url = BaseUrl::parse(&sandbox.url()).unwrap();
    Runai::new(config::Runai { url, api }, Settings::default())
}

async fn ask(provider: &Runai) -> Result<Granted, Fault> {
    provider
        .fetch(&Credential::parse("my id", SECRET).unwrap())
        .await
}

/// Returns the requests so far, each with its path and its member of the client ID.
fn asked(sandbox: &Sandbox) -> Vec<String> {
    let id = |name: &String| name.to_ascii_lowercase().ends_with("id");
    let seen = sandbox.requests();
    seen.iter()
        .map(|seen| {
            let field = seen.field_names.iter().find(|name| id(name)).unwrap();
            format!("{} {field}", seen.path)
        })
        .collect()
}

const V2: &str = "/api/v2/token client_id";
const V1: &str = "/api/v1/token clientID";
const APP_TOKEN: &str = "/api/v1/token appID";

/// The requests of the first attempt on each version.
const NEEDED: [(Line, &[&str]); 5] = [
    (Line::V2_18, &[V2, V1, APP_TOKEN]),
    (Line::V2_20, &[V2, V1]),
    (Line::V2_23, &[V2, V1]),
    (Line::V2_24, &[V2]),
    (Line::V3_0, &[V2]),
];

#[tokio::test]
async fn every_release_grants_a_token_with_one_request_once_its_endpoint_is_known() {
    for (line, needed) in NEEDED {
        for unknown_path in [UnknownPath::Html, UnknownPath::NotFound] {
            let sandbox = Sandbox::start(Options {
                unknown_path,
                ..options(line)
            })
            .await
            .unwrap();
            let provider = provider(&sandbox, Api::Auto);
            let granted = ask(&provider).await.unwrap();
            assert_eq!(asked(&sandbox), needed, "{line}");
            assert_eq!(granted.grant.token.expose(), sandbox.issued()[0]);
            let life = granted.grant.lifetime.unwrap().as_secs();
            assert_eq!(life, 3_600, "{line}");
            ask(&provider).await.unwrap();
            let last = needed.last().unwrap();
            assert_eq!(asked(&sandbox)[needed.len()..], [*last], "{line}");
        }
    }
}

#[tokio::test]
async fn every_release_rejects_a_wrong_secret_after_the_usual_requests() {
    for (line, needed) in NEEDED {
        let sandbox = start(line).await;
        let provider = provider(&sandbox, Api::Auto);
        sandbox.set_secret(secret("another"));
        let fault = ask(&provider).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Rejected, "{line} {fault:?}");
        let says_why = fault.detail.contains("Client authentication failed");
        assert!(says_why, "{line} {fault:?}");
        assert_eq!(asked(&sandbox), needed, "{line}");
    }
}

#[tokio::test]
async fn a_secret_that_becomes_wrong_is_sent_once_to_the_known_endpoint() {
    for (line, needed) in NEEDED {
        let sandbox = start(line).await;
        let provider = provider(&sandbox, Api::Auto);
        ask(&provider).await.unwrap();
        sandbox.set_secret(secret("another"));
        let fault = ask(&provider).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Rejected, "{line} {fault:?}");
        assert_eq!(asked(&sandbox).len(), needed.len() + 1, "{line}");
    }
}

#[tokio::test]
async fn a_configured_api_version_tries_only_the_grants_of_its_path() {
    let old = start(Line::V2_18).await;
    ask(&provider(&old, Api::V1)).await.unwrap();
    assert_eq!(asked(&old), [V1, APP_TOKEN]);
    let newer = start(Line::V3_0).await;
    ask(&provider(&newer, Api::V1)).await.unwrap();
    assert_eq!(asked(&newer), [V1]);
    let without = start(Line::V2_23).await;
    ask(&provider(&without, Api::V2)).await.unwrap_err();
    assert_eq!(asked(&without), [V2]);
}

/// The server is upgraded while the provider knows its endpoint. It reports that the grant is missing, or answers more
/// vaguely.
#[tokio::test]
async fn an_upgraded_server_without_app_token_gets_the_newer_grants() {
    for (line, vague, newer) in [
        (Line::V3_0, false, &[APP_TOKEN, V2, V2][..]),
        (Line::V3_0, true, &[APP_TOKEN, V2, V2]),
        (Line::V2_23, true, &[APP_TOKEN, V2, V1, V1]),
    ] {
        let old = start(Line::V2_18).await;
        let address = old.url().strip_prefix("http://").unwrap().parse().unwrap();
        let provider = provider(&old, Api::Auto);
        ask(&provider).await.unwrap();
        old.stop().await;
        let new = Sandbox::start(Options {
            listen: address,
            ..options(line)
        })
        .await
        .unwrap();
        if vague {
            let fault = r#"answer:400:{"code":400,"message":"Required parameter is missing"}"#;
            let fault = Broken::parse(fault).unwrap();
            new.set_fault_for(fault, 1).await.unwrap();
        }
        ask(&provider).await.unwrap();
        ask(&provider).await.unwrap();
        assert_eq!(asked(&new), newer);
    }
}

/// If the known grant suddenly is not understood, the secret must not be sent with grants that never worked.
#[tokio::test]
async fn a_known_grant_that_fails_is_not_replaced_by_an_older_one() {
    let sandbox = start(Line::V2_23).await;
    let provider = provider(&sandbox, Api::Auto);
    ask(&provider).await.unwrap();
    let fault = Broken::parse(r#"answer:400:{"code":400,"message":"no"}"#).unwrap();
    sandbox.set_fault(Some(fault)).await.unwrap();
    ask(&provider).await.unwrap_err();
    assert_eq!(asked(&sandbox), [V2, V1, V1, "/api/v1/token clientId"]);
}

/// How a server refuses a missing grant or a wrong secret is not documented.
#[tokio::test]
async fn a_vague_400_falls_back_to_the_older_grant_and_a_clear_one_is_final() {
    let vague = [V1, "/api/v1/token clientId", APP_TOKEN];
    let grant = [V1, APP_TOKEN];
    for (body, expected) in [
        (
            r#"{"code":400,"message":"Required parameter is missing"}"#,
            &vague[..],
        ),
        (r#"{"error":"invalid_request"}"#, &vague),
        (
            r#"{"code":400,"message":"value is not in enum","details":"grantType"}"#,
            &grant,
        ),
        (r#"{"error":"unsupported_grant_type"}"#, &grant),
        (r#"{"error":"invalid_client"}"#, &[V1]),
        (
            r#"{"error":"unauthorized_client","error_description":"grant type"}"#,
            &[V1],
        ),
        (r#"{"error":"invalid_grant"}"#, &[V1]),
    ] {
        let sandbox = start(Line::V2_20).await;
        let fault = Broken::parse(&format!("answer:400:{body}")).unwrap();
        sandbox.set_fault(Some(fault)).await.unwrap();
        let fault = ask(&provider(&sandbox, Api::V1)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Rejected, "{body} {fault:?}");
        assert_eq!(asked(&sandbox), expected, "{body}");
    }
    for status in [401, 403] {
        let sandbox = start(Line::V2_18).await;
        let fault = format!("answer:{status}:{{\"code\":{status},\"message\":\"grant type\"}}");
        let fault = Broken::parse(&fault).unwrap();
        sandbox.set_fault(Some(fault)).await.unwrap();
        let fault = ask(&provider(&sandbox, Api::V1)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Rejected, "{fault:?}");
        assert_eq!(asked(&sandbox), [V1], "{status}");
    }
}

#[tokio::test]
async fn the_lifetime_is_read_from_a_token_in_url_safe_base64() {
    let sandbox = start(Line::V2_23).await;
    sandbox.set_fault(Some(Broken::NonAscii)).await.unwrap();
    let granted = ask(&provider(&sandbox, Api::Auto)).await.unwrap();
    assert_eq!(granted.grant.lifetime.unwrap().as_secs(), 3_600);
}
