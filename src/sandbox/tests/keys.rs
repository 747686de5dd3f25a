//! Keys from their creation to their deletion.

use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::sandbox::OldTokens;

const KEYS: &str = "/api/v1/access-keys";

/// Creates a key with this token; returns its ID, client ID and secret.
async fn create(sandbox: &Sandbox, token: &str, name: &str) -> [String; 3] {
    let body = json!({"name": name}).to_string();
    let reply = managed(sandbox, token, "POST", KEYS, &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    ["id", "clientId", "clientSecret"].map(|field| reply.json()[field].as_str().unwrap().to_owned())
}

async fn regenerate(sandbox: &Sandbox, token: &str, id: &str) -> String {
    let path = format!("{KEYS}/{id}/secret");
    let reply = managed(sandbox, token, "POST", &path, "").await;
    reply.json()["clientSecret"].as_str().unwrap().to_owned()
}

async fn last_login(sandbox: &Sandbox, token: &str, id: &str) -> Value {
    let reply = managed(sandbox, token, "GET", &format!("{KEYS}/{id}"), "").await;
    reply.json()["lastLogin"].clone()
}

#[tokio::test]
async fn a_key_gets_tokens_from_its_creation_to_its_deletion() {
    let sandbox = start(Line::V2_24).await;
    let first = token(&sandbox).await;
    let [id, client_id, secret] = create(&sandbox, &first, "second").await;
    assert_ne!(id, client_id);
    let reply = credential(&sandbox, &client_id, &secret).await;
    assert_eq!(reply.status, 200);
    let form =
        format!("grant_type=client_credentials&client_id={client_id}&client_secret={secret}");
    assert_eq!(
        post(&sandbox, "/api/v2/token", FORM, &form).await.status,
        200
    );
    // a client ID works only with its own key's secret
    assert_eq!(credential(&sandbox, &client_id, SECRET).await.status, 401);
    assert_eq!(credential(&sandbox, "app", &secret).await.status, 401);
    assert_eq!(credential(&sandbox, &id, &secret).await.status, 401);
    // a key's own token may delete it
    let path = format!("{KEYS}/{id}");
    let reply = managed(&sandbox, &reply.token(), "DELETE", &path, "").await;
    assert_eq!(reply.status, 204);
    assert_eq!(credential(&sandbox, &client_id, &secret).await.status, 401);
    let stats = sandbox.stats();
    assert_eq!((stats.keys_created, stats.keys_deleted), (1, 1));
}

#[tokio::test]
async fn a_secret_is_shown_once_and_never_again() {
    let sandbox = start(Line::V2_24).await;
    let token = token(&sandbox).await;
    let [id, _, secret] = create(&sandbox, &token, "second").await;
    let newer = regenerate(&sandbox, &token, &id).await;
    for path in [
        KEYS.to_owned(),
        format!("{KEYS}/{id}"),
        "/api/v1/user-applications".to_owned(),
        "/api/v1/administration/access-keys".to_owned(),
    ] {
        let reply = managed(&sandbox, &token, "GET", &path, "").await;
        let text = String::from_utf8(reply.body).unwrap();
        assert!(text.contains(&id), "{text}");
        assert!(!text.contains(&secret) && !text.contains(&newer) && !text.contains("s3cret"));
    }
    assert_eq!(sandbox.secrets(), [secret, newer]);
}

#[tokio::test]
async fn a_regenerated_secret_immediately_replaces_the_old_one() {
    let sandbox = start(Line::V2_24).await;
    let token = token(&sandbox).await;
    let [id, client_id, old] = create(&sandbox, &token, "second").await;
    let new = regenerate(&sandbox, &token, &id).await;
    assert_eq!(credential(&sandbox, &client_id, &old).await.status, 401);
    assert_eq!(credential(&sandbox, &client_id, &new).await.status, 200);
    assert_eq!(sandbox.stats().keys_regenerated, 1);
}

#[tokio::test]
async fn the_last_login_of_a_key_changes_only_when_it_gets_a_token() {
    let sandbox = start(Line::V2_24).await;
    let token = token(&sandbox).await;
    let [id, client_id, secret] = create(&sandbox, &token, "second").await;
    assert_eq!(last_login(&sandbox, &token, &id).await, Value::Null);
    credential(&sandbox, &client_id, "wrong").await;
    assert_eq!(last_login(&sandbox, &token, &id).await, Value::Null);
    credential(&sandbox, &client_id, &secret).await;
    let login = last_login(&sandbox, &token, &id).await;
    let login = login.as_str().unwrap();
    assert!(login.starts_with("20") && login.ends_with('Z'), "{login}");
    let [first, second] = [0, 1].map(|n| sandbox.applications()[n].clone());
    assert_eq!((first.name.as_str(), second.id), ("first-key", id));
    assert!(first.last_login.unwrap() <= second.last_login.unwrap());
}

#[tokio::test]
async fn a_user_has_at_most_twenty_keys_and_a_deletion_frees_one() {
    let sandbox = start(Line::V2_20).await;
    let token = token(&sandbox).await;
    let path = "/api/v1/user-applications";
    let mut ids = HashSet::new();
    for n in 1..20 {
        let body = json!({"name": format!("key-{n}")}).to_string();
        let reply = managed(&sandbox, &token, "POST", path, &body).await;
        assert_eq!(reply.status, 201);
        ids.insert(reply.json()["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 19);
    let one_more = r#"{"name":"one-more"}"#;
    let reply = managed(&sandbox, &token, "POST", path, one_more).await;
    assert_eq!((reply.status, &reply.json()["code"]), (400, &json!(400)));
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("limit of 20"), "{message}");
    assert!(reply.json()["details"].as_str().unwrap().contains("guess"));
    // the organisation's keys do not count
    assert_eq!(
        managed(&sandbox, &token, "POST", "/api/v1/apps", one_more)
            .await
            .status,
        201
    );
    let id = ids.iter().next().unwrap();
    managed(&sandbox, &token, "DELETE", &format!("{path}/{id}"), "").await;
    assert_eq!(
        managed(&sandbox, &token, "POST", path, one_more)
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn the_old_tokens_option_applies_only_to_tokens_of_the_changed_key() {
    for (old_tokens, expected) in [(OldTokens::Survive, 200), (OldTokens::Die, 401)] {
        let sandbox = Sandbox::start(Options {
            old_tokens,
            ..options(Line::V2_24)
        })
        .await
        .unwrap();
        let first = token(&sandbox).await;
        let [id, client_id, secret] = create(&sandbox, &first, "second").await;
        let old = credential(&sandbox, &client_id, &secret).await.token();
        let secret = regenerate(&sandbox, &first, &id).await;
        assert_eq!(probe(&sandbox, &old).await.status, expected);
        let old = credential(&sandbox, &client_id, &secret).await.token();
        managed(&sandbox, &first, "DELETE", &format!("{KEYS}/{id}"), "").await;
        assert_eq!(probe(&sandbox, &old).await.status, expected);
        assert_eq!(probe(&sandbox, &first).await.status, 200);
    }
}

#[tokio::test]
async fn a_disabled_service_account_gets_no_tokens_until_it_is_enabled() {
    let sandbox = start(Line::V3_0).await;
    sandbox.set_old_tokens(OldTokens::Die);
    let first = token(&sandbox).await;
    let path = "/api/v1/service-accounts";
    let account = managed(&sandbox, &first, "POST", path, r#"{"name":"robot"}"#)
        .await
        .json();
    assert_eq!(account["clientId"], "robot");
    let secret = account["clientSecret"].as_str().unwrap();
    let path = format!("{path}/{}", account["id"].as_str().unwrap());
    let old = credential(&sandbox, "robot", secret).await.token();
    let reply = managed(&sandbox, &first, "PATCH", &path, r#"{"enabled":false}"#).await;
    assert_eq!(reply.json()["enabled"], false);
    assert_eq!(credential(&sandbox, "robot", secret).await.status, 401);
    assert_eq!(probe(&sandbox, &old).await.status, 401);
    managed(&sandbox, &first, "PATCH", &path, r#"{"enabled":true}"#).await;
    assert_eq!(credential(&sandbox, "robot", secret).await.status, 200);
}

/// Sends a request with a token, and reads to the end of the connection.
async fn raw(
    sandbox: &Sandbox,
    token: &str,
    method: &str,
    path: &str,
    body: &str,
) -> (Vec<u8>, io::Result<usize>) {
    let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    let request = request(method, path, &headers, body);
    read_all(&mut connect(&sandbox.url(), &request).await.unwrap()).await
}

#[tokio::test]
async fn swallow_executes_a_key_change_without_a_response() {
    let sandbox = start(Line::V2_24).await;
    let first = token(&sandbox).await;
    sandbox.set_fault(Some(Fault::Swallow)).await.unwrap();
    let (answer, end) = raw(&sandbox, &first, "POST", KEYS, r#"{"name":"lost"}"#).await;
    assert_eq!((answer, end.unwrap()), (Vec::new(), 0));
    let lost = sandbox.applications()[1].clone();
    assert_eq!(lost.name, "lost");

    // requests that do not change keys are answered: the key can be found by its name, and gets tokens
    let list = managed(&sandbox, &first, "GET", KEYS, "").await.json();
    assert_eq!(list["accessKeys"][1]["id"], lost.id.as_str());
    let secret = sandbox.secrets()[0].clone();
    assert_eq!(
        credential(&sandbox, &lost.client_id, &secret).await.status,
        200
    );

    let path = format!("{KEYS}/{}", lost.id);
    let (answer, _) = raw(&sandbox, &first, "POST", &format!("{path}/secret"), "").await;
    assert!(answer.is_empty());
    assert_eq!(
        credential(&sandbox, &lost.client_id, &secret).await.status,
        401
    );
    let (answer, _) = raw(&sandbox, &first, "DELETE", &path, "").await;
    assert!(answer.is_empty());
    assert_eq!(sandbox.applications().len(), 1);
    let stats = sandbox.stats();
    let changes = (
        stats.keys_created,
        stats.keys_regenerated,
        stats.keys_deleted,
    );
    assert_eq!((changes, stats.faulted), ((1, 1, 1), 3));
}

#[tokio::test]
async fn key_faults_affect_and_count_only_key_changes() {
    let sandbox = start(Line::V2_24).await;
    let first = token(&sandbox).await;
    let fault = Fault::parse("keys:status:503").unwrap();
    sandbox.set_fault_for(fault, 1).await.unwrap();
    token(&sandbox).await;
    assert_eq!(managed(&sandbox, &first, "GET", KEYS, "").await.status, 200);
    let body = r#"{"name":"second"}"#;
    assert_eq!(
        managed(&sandbox, &first, "POST", KEYS, body).await.status,
        503
    );
    assert_eq!(sandbox.applications().len(), 1);
    assert_eq!(
        managed(&sandbox, &first, "POST", KEYS, body).await.status,
        201
    );

    // a broken answer does not undo the change
    let fault = Fault::parse("keys:reset").unwrap();
    sandbox.set_fault(Some(fault)).await.unwrap();
    let (_, end) = raw(&sandbox, &first, "POST", KEYS, r#"{"name":"third"}"#).await;
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(sandbox.applications().len(), 3);

    // faults of token requests do not affect keys
    sandbox.set_fault(Some(Fault::Status(503))).await.unwrap();
    assert_eq!(
        managed(&sandbox, &first, "POST", KEYS, r#"{"name":"fourth"}"#)
            .await
            .status,
        201
    );
}
