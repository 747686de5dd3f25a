//! Changes of keys that are executed late, twice, or with a misleading answer.

use serde_json::json;

use super::*;

const KEYS: &str = "/api/v1/access-keys";
const NAME: &str = r#"{"name":"second"}"#;

async fn faulted(sandbox: &Sandbox, fault: &str) {
    let fault = Fault::parse(fault).unwrap();
    sandbox.set_fault_for(fault, 1).await.unwrap();
}

async fn create(sandbox: &Sandbox, token: &str) -> Reply {
    managed(sandbox, token, "POST", KEYS, NAME).await
}

/// Sends a request and reads until the server closes the connection.
async fn raw(sandbox: &Sandbox, token: &str, method: &str, path: &str, body: &str) -> Vec<u8> {
    let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let request = request(method, path, &headers, body);
    let mut stream = connect(&sandbox.url(), &request).await.unwrap();
    read_all(&mut stream).await.0
}

/// Waits until there are this many keys.
async fn keys_are(sandbox: &Sandbox, count: usize) {
    let reached = async {
        while sandbox.applications().len() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}

#[tokio::test]
async fn a_key_can_be_created_although_the_response_is_an_error() {
    let sandbox = start(Line::V2_24).await;
    let token = token(&sandbox).await;
    faulted(&sandbox, "executed:status:500").await;
    assert_eq!(create(&sandbox, &token).await.status, 500);
    assert_eq!(sandbox.applications()[1].name, "second");
    // a request that the server did not execute gets the usual answer instead of the fault's
    faulted(&sandbox, "executed:status:500").await;
    assert_eq!(create(&sandbox, &token).await.status, 409);
    let path = format!("{KEYS}/{}", sandbox.applications()[1].id);
    faulted(&sandbox, "executed:html").await;
    let reply = managed(&sandbox, &token, "DELETE", &path, "").await;
    assert!(reply.body.starts_with(b"<!DOCTYPE html>"), "{reply:?}");
    assert_eq!(sandbox.applications().len(), 1);
    // without a token, the server executes nothing
    faulted(&sandbox, "executed:status:500").await;
    assert_eq!(create(&sandbox, "wrong").await.status, 401);
    assert_eq!(sandbox.applications().len(), 1);
    let stats = sandbox.stats();
    assert_eq!((stats.keys_created, stats.keys_deleted), (1, 1));
    assert_eq!(stats.faulted, 4);
}

#[tokio::test]
async fn an_executed_change_with_a_truncated_response_is_kept() {
    let sandbox = start(Line::V2_24).await;
    let token = token(&sandbox).await;
    faulted(&sandbox, "executed:truncated").await;
    let reply = create(&sandbox, &token).await;
    assert_eq!(reply.status, 201);
    assert!(serde_json::from_slice::<Value>(&reply.body).is_err());
    assert_eq!(sandbox.applications().len(), 2);
}

#[tokio::test]
async fn a_change_can_be_executed_after_its_connection_was_closed() {
    let sandbox = start(Line::V2_24).await;
    let token = token(&sandbox).await;
    faulted(&sandbox, "late:0.05").await;
    assert!(raw(&sandbox, &token, "POST", KEYS, NAME).await.is_empty());
    keys_are(&sandbox, 2).await;
    assert_eq!(sandbox.stats().keys_created, 1);
    let path = format!("{KEYS}/{}", sandbox.applications()[1].id);
    // long enough not to end during this test
    faulted(&sandbox, "late:80000:status:504").await;
    let reply = managed(&sandbox, &token, "DELETE", &path, "").await;
    assert_eq!((reply.status, &reply.json()["code"]), (504, &json!(504)));
    assert_eq!(sandbox.applications().len(), 2);
    let list = managed(&sandbox, &token, "GET", KEYS, "").await.json();
    assert_eq!(list["accessKeys"][1]["name"], "second");
    // a request without a token is not kept for later
    faulted(&sandbox, "late:0").await;
    assert_eq!(
        managed(&sandbox, "wrong", "DELETE", &path, "").await.status,
        401
    );
    assert_eq!(sandbox.applications().len(), 2);
}

#[tokio::test]
async fn a_late_change_is_checked_at_its_execution_time() {
    let sandbox = start(Line::V2_24).await;
    let token = token(&sandbox).await;
    faulted(&sandbox, "late:0.2").await;
    assert!(raw(&sandbox, &token, "POST", KEYS, NAME).await.is_empty());
    // another key takes the name, so the late request makes no second key
    assert_eq!(create(&sandbox, &token).await.status, 201);
    let executed = async {
        while !sandbox.panel.issuer().pending.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, executed).await.unwrap();
    assert_eq!(sandbox.applications().len(), 2);
    assert_eq!(sandbox.stats().keys_created, 1);
}

#[tokio::test]
async fn an_answered_change_can_be_executed_once_more() {
    let sandbox = start(Line::V2_24).await;
    let token = token(&sandbox).await;
    faulted(&sandbox, "again:0.2").await;
    let made = create(&sandbox, &token).await;
    assert_eq!(made.status, 201);
    let path = format!("{KEYS}/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(
        managed(&sandbox, &token, "DELETE", &path, "").await.status,
        204
    );
    // like a request that a proxy repeats: the deleted key's name exists again, with another ID
    keys_are(&sandbox, 2).await;
    let again = &sandbox.applications()[1];
    assert_eq!(again.name, "second");
    assert_ne!(made.json()["id"], again.id.as_str());
}

#[tokio::test]
async fn a_change_executed_twice_answers_with_the_first_or_last_result() {
    let sandbox = start(Line::V2_24).await;
    let token = token(&sandbox).await;
    faulted(&sandbox, "twice:last").await;
    assert_eq!(create(&sandbox, &token).await.status, 409);
    let key = sandbox.applications()[1].clone();
    assert_eq!(key.name, "second");
    let path = format!("{KEYS}/{}/secret", key.id);
    for (fault, status) in [("twice:first", 401), ("twice:last", 200)] {
        faulted(&sandbox, fault).await;
        let reply = managed(&sandbox, &token, "POST", &path, "").await;
        let secret = reply.json()["clientSecret"].as_str().unwrap().to_owned();
        assert_eq!(
            credential(&sandbox, &key.client_id, &secret).await.status,
            status,
            "{fault}"
        );
    }
    assert_eq!(sandbox.stats().keys_regenerated, 4);
    faulted(&sandbox, "twice:last").await;
    let path = format!("{KEYS}/{}", key.id);
    assert_eq!(
        managed(&sandbox, &token, "DELETE", &path, "").await.status,
        404
    );
    assert_eq!(sandbox.applications().len(), 1);
}

#[tokio::test]
async fn a_key_can_be_created_with_a_missing_empty_or_null_secret() {
    for line in [Line::V2_20, Line::V2_24] {
        let (path, field) = match line {
            Line::V2_20 => ("/api/v1/user-applications", "secret"),
            _ => (KEYS, "clientSecret"),
        };
        for (fault, shown) in [
            ("secret:missing", None),
            ("secret:empty", Some(json!(""))),
            ("secret:null", Some(Value::Null)),
        ] {
            let sandbox = start(line).await;
            let token = token(&sandbox).await;
            faulted(&sandbox, fault).await;
            let reply = managed(&sandbox, &token, "POST", path, NAME).await;
            assert_eq!(reply.status, 201);
            assert_eq!(reply.json().get(field), shown.as_ref(), "{line} {fault}");
            assert_eq!(
                reply.json()["id"],
                sandbox.applications()[1].id.as_str(),
                "{line} {fault}"
            );
        }
    }
}

#[tokio::test]
async fn read_faults_do_not_affect_tokens_and_changes() {
    let sandbox = start(Line::V2_24).await;
    let first = token(&sandbox).await;
    let fault = Fault::parse("reads:answer:200:null").unwrap();
    sandbox.set_fault(Some(fault)).await.unwrap();
    for path in [
        KEYS,
        "/api/v1/clusters",
        "/api/v1/authorization/me/access-rules",
    ] {
        let reply = managed(&sandbox, &first, "GET", path, "").await;
        assert_eq!((reply.status, reply.json()), (200, Value::Null), "{path}");
    }
    assert_eq!(create(&sandbox, &first).await.status, 201);
    token(&sandbox).await;
}
