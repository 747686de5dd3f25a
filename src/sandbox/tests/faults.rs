//! Faults of the answer: their effect on its content.

use super::*;

#[tokio::test]
async fn status_faults_have_their_usual_headers_and_bodies() {
    let sandbox = broken(Line::V2_24, "status:503").await;
    let reply = v2(&sandbox).await;
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (503, &Value::from(503))
    );
    let switch = async |fault: &str| {
        sandbox
            .set_fault(Some(Fault::parse(fault).unwrap()))
            .await
            .unwrap();
        v2(&sandbox).await
    };
    let reply = switch("rate-limit:7").await;
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (429, Some("7"))
    );
    let reply = switch("retry-after-date:100").await;
    let date = |name| httpdate::parse_http_date(reply.header(name).unwrap()).unwrap();
    let ahead = date("retry-after").duration_since(date("date")).unwrap();
    assert!((90..=100).contains(&ahead.as_secs()), "{ahead:?}");
    let reply = switch("redirect:307:http://127.0.0.1:9/x?y=1").await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (307, Some("http://127.0.0.1:9/x?y=1"))
    );
    let reply = switch("invalid-client").await;
    assert_eq!(
        (reply.status, &reply.json()["error"]),
        (401, &Value::from("invalid_client"))
    );
    assert_eq!(v1(&sandbox).await.json()["code"], 401);
    assert_eq!(sandbox.stats().granted, 0);
}

#[tokio::test]
async fn body_faults_replace_the_token_response_by_an_invalid_body() {
    let sandbox = broken(Line::V2_24, "html").await;
    let switch = async |fault: &str| {
        sandbox
            .set_fault(Some(Fault::parse(fault).unwrap()))
            .await
            .unwrap();
        v2(&sandbox).await
    };
    let reply = v2(&sandbox).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    for fault in ["garbage", "truncated", "empty"] {
        let reply = switch(fault).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some("application/json"))
        );
        assert_eq!(
            reply.header("content-length"),
            Some(reply.body.len().to_string().as_str())
        );
        assert!(
            serde_json::from_slice::<Value>(&reply.body).is_err(),
            "{fault}"
        );
    }
    let reply = switch(r#"raw:{"access_token":"$TOKEN","expires_in":"60"}"#).await;
    assert_eq!(reply.json()["expires_in"], "60");
    assert_eq!(probe(&sandbox, &reply.token()).await.status, 200);
    let reply = switch(r#"answer:403:{"error":"x"}"#).await;
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (403, &br#"{"error":"x"}"#[..])
    );
}

#[tokio::test]
async fn skew_changes_only_the_date_header_and_the_claims() {
    use base64::Engine as _;
    let sandbox = start(Line::V2_23).await;
    let seen = async |fault| {
        sandbox.set_fault(fault).await.unwrap();
        let reply = v1(&sandbox).await;
        let token = reply.token();
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(
            payload["exp"].as_u64().unwrap() - payload["iat"].as_u64().unwrap(),
            3_600
        );
        assert_eq!(probe(&sandbox, &token).await.status, 200);
        let date = httpdate::parse_http_date(reply.header("date").unwrap()).unwrap();
        let date = date
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        assert!(date.abs_diff(payload["iat"].as_u64().unwrap()) <= 60);
        date
    };
    let (right, behind) = (seen(None).await, seen(Some(Fault::Skew(-86_400))).await);
    assert!(
        (86_340..=86_400).contains(&(right - behind)),
        "{right} {behind}"
    );
}

#[tokio::test]
async fn revoke_issues_invalid_tokens_and_keeps_earlier_ones_valid() {
    let sandbox = start(Line::V2_24).await;
    let before = v2(&sandbox).await.token();
    sandbox.set_fault(Some(Fault::Revoke)).await.unwrap();
    assert_eq!(
        probe(&sandbox, &v2(&sandbox).await.token()).await.status,
        401
    );
    assert_eq!(probe(&sandbox, &before).await.status, 200);
}

#[tokio::test]
async fn the_same_token_fault_repeats_a_token_while_it_is_valid() {
    let sandbox = start(Line::V2_24).await;
    let first = v2(&sandbox).await.token();
    let fault = Some(Fault::SameToken);
    sandbox.set_fault(fault.clone()).await.unwrap();
    let reply = v2(&sandbox).await;
    assert_eq!(reply.token(), first);
    let left = reply.json()["expires_in"].as_u64().unwrap();
    assert!((3_500..3_600).contains(&left), "{left}");
    sandbox.revoke_all();
    let second = v2(&sandbox).await.token();
    assert_ne!(second, first);
    assert_eq!(v2(&sandbox).await.token(), second);
    sandbox.set_fault(None).await.unwrap();
    assert_ne!(v2(&sandbox).await.token(), second);
}

#[tokio::test]
async fn a_counted_fault_ends_after_its_last_affected_request() {
    let sandbox = start(Line::V2_23).await;
    sandbox
        .set_fault_for(Fault::InvalidClient, 2)
        .await
        .unwrap();
    assert_eq!(v2(&sandbox).await.status, 200); // the web page: this line has no such endpoint
    assert_eq!(v1(&sandbox).await.status, 401);
    assert_eq!(v1(&sandbox).await.status, 401);
    assert_eq!((v1(&sandbox).await.status, sandbox.fault()), (200, None));
    // an outage in front of the server affects every path
    sandbox.set_fault_for(Fault::Status(502), 1).await.unwrap();
    assert_eq!(v2(&sandbox).await.status, 502);
    assert_eq!(v1(&sandbox).await.status, 200);
    for uncountable in [Fault::Refuse, Fault::HangConnect] {
        let refused = sandbox.set_fault_for(uncountable, 1).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }
    assert_eq!(v1(&sandbox).await.status, 200);
}
