//! Tests of the control address.

use super::*;
use crate::sandbox::Timeline;

async fn control(sandbox: &Sandbox, method: &str, path: &str, body: &str) -> (u16, String) {
    // the header of curl's --data
    let headers = format!("Content-Type: {FORM}\r\n");
    let reply = ask(&sandbox.control_url(), method, path, &headers, body).await;
    (reply.status, String::from_utf8(reply.body).unwrap())
}

#[tokio::test]
async fn a_fault_can_be_set_counted_and_cleared() {
    let sandbox = start(Line::V2_24).await;
    assert_eq!(
        control(&sandbox, "PUT", "/fault", "status:503\n").await,
        (200, "fault: status:503\n".to_owned())
    );
    assert_eq!(v2(&sandbox).await.status, 503);
    assert_eq!(v2(&sandbox).await.status, 503);
    assert_eq!(
        control(&sandbox, "DELETE", "/fault", "").await,
        (200, "fault: none\n".to_owned())
    );
    assert_eq!(v2(&sandbox).await.status, 200);
    control(&sandbox, "PUT", "/fault?count=1", "html").await;
    assert_eq!(
        control(&sandbox, "GET", "/fault", "").await.1,
        "fault: html\n"
    );
    assert_eq!(
        v2(&sandbox).await.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(
        control(&sandbox, "GET", "/fault", "").await.1,
        "fault: none\n"
    );
    control(&sandbox, "PUT", "/fault", "empty").await;
    control(&sandbox, "PUT", "/fault", "none").await;
    assert_eq!(sandbox.fault(), None);
}

#[tokio::test]
async fn the_control_address_stays_while_the_main_port_refuses() {
    let sandbox = start(Line::V2_24).await;
    assert_eq!(control(&sandbox, "PUT", "/fault", "refuse").await.0, 200);
    assert!(connect(&sandbox.url(), "").await.is_err());
    assert_eq!(control(&sandbox, "DELETE", "/fault", "").await.0, 200);
    assert_eq!(v2(&sandbox).await.status, 200);
}

#[tokio::test]
async fn an_invalid_control_request_is_refused_and_changes_nothing() {
    let sandbox = start(Line::V2_24).await;
    for (method, path, body, status) in [
        ("PUT", "/fault", "nonsense", 400),
        ("PUT", "/fault", "", 400),
        ("PUT", "/fault?count=0", "html", 400),
        ("PUT", "/fault?count=x", "html", 400),
        ("PUT", "/fault?cout=1", "html", 400),
        ("PUT", "/fault?count=1", "refuse", 400),
        ("PUT", "/secret", "", 400),
        ("PUT", "/script", "0 garbage\n1 nonsense", 400),
        ("PUT", "/old-tokens", "both", 400),
        ("POST", "/fault", "html", 405),
        ("GET", "/script", "", 405),
        ("GET", "/secret", "", 405),
        ("GET", "/revoke", "", 405),
        ("PUT", "/stats", "", 405),
        ("GET", "/nowhere", "", 404),
    ] {
        assert_eq!(
            control(&sandbox, method, path, body).await.0,
            status,
            "{method} {path} {body}"
        );
    }
    assert_eq!(sandbox.fault(), None);
    assert_eq!(v2(&sandbox).await.status, 200);
}

#[tokio::test]
async fn the_control_address_changes_secrets_and_tokens_and_reports_counts() {
    let sandbox = start(Line::V2_24).await;
    let token = v2(&sandbox).await.token();
    assert_eq!(control(&sandbox, "PUT", "/secret", "other").await.0, 200);
    assert_eq!(v2(&sandbox).await.status, 401);
    assert_eq!(control(&sandbox, "POST", "/revoke", "").await.0, 200);
    assert_eq!(probe(&sandbox, &token).await.status, 401);
    let (status, stats) = control(&sandbox, "GET", "/stats", "").await;
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(status, 200);
    for (name, count) in [
        ("token_requests", 2),
        ("granted", 1),
        ("rejected", 1),
        ("resource_unauthorized", 1),
    ] {
        assert_eq!(stats[name], count, "{name}");
    }
}

#[tokio::test]
async fn the_help_names_the_sandbox_and_every_fault() {
    let sandbox = start(Line::V2_24).await;
    let (status, help) = control(&sandbox, "GET", "/", "").await;
    assert_eq!(status, 200);
    assert!(help.contains(&sandbox.url()));
    for (example, what) in Fault::HELP {
        assert!(help.contains(example) && help.contains(what), "{example}");
    }
}

#[tokio::test]
async fn a_script_starts_after_the_response_or_is_refused_with_the_faulty_line() {
    let sandbox = start(Line::V2_24).await;
    let (status, told) =
        control(&sandbox, "PUT", "/script", "# now\n0 status:503\n9999 hang").await;
    assert_eq!((status, told.as_str()), (200, "script: 2 steps\n"));
    assert_eq!(v2(&sandbox).await.status, 503);
    let (status, told) = control(&sandbox, "PUT", "/script", "0 html\n\n1 nonsense").await;
    assert_eq!(
        (status, told.as_str()),
        (400, "line 3: no fault has this name\n")
    );
    assert_eq!(sandbox.fault(), Some(Fault::Status(503)));
    sandbox
        .run_script(Timeline::new([(Duration::ZERO, None)]))
        .await
        .unwrap();
    assert_eq!(v2(&sandbox).await.status, 200);
}

#[tokio::test]
async fn old_tokens_can_be_set_to_die_or_survive() {
    for (old_tokens, status) in [("die", 401), ("survive\n", 200)] {
        let sandbox = start(Line::V2_24).await;
        assert_eq!(
            control(&sandbox, "PUT", "/old-tokens", old_tokens).await.0,
            200
        );
        let token = v2(&sandbox).await.token();
        let id = &sandbox.applications()[0].id;
        let path = format!("/api/v1/access-keys/{id}/secret");
        assert_eq!(
            managed(&sandbox, &token, "POST", &path, "").await.status,
            200
        );
        assert_eq!(probe(&sandbox, &token).await.status, status);
    }
}
