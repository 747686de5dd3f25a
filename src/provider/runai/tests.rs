use std::time::Duration;

use super::*;
use crate::clock::testing::TestClock;
use crate::config::BaseUrl;
use crate::instant::BootInstant;
use crate::provider::fake::{Fake, Play, Sent, answer, json};
use crate::provider::http::Timeouts;

/// Every character that a form or a JSON string must escape.
const SECRET: &str = "canary&=+% \"\\/'~";
const FORM: &str = "grant_type=client_credentials&client_id=my+id&client_secret=canary%26%3D%2B%25+%22%5C%2F%27%7E";
const CLIENT_ID: &str =
    r#"{"grantType":"client_credentials","clientID":"my id","clientSecret":"canary&=+% \"\\/'~"}"#;
const CLIENT_ID_OF_GUIDES: &str =
    r#"{"grantType":"client_credentials","clientId":"my id","clientSecret":"canary&=+% \"\\/'~"}"#;

const V2: &str = "POST /api/v2/token HTTP/1.1";
const V1: &str = "POST /api/v1/token HTTP/1.1";

fn snake() -> Play {
    json(
        200,
        r#"{"access_token":"t2","token_type":"Bearer","expires_in":3600}"#,
    )
}

fn camel() -> Play {
    json(200, r#"{"accessToken":"t1"}"#)
}

fn absent() -> Play {
    json(404, r#"{"code":404,"message":"Resource id not found."}"#)
}

fn page() -> Play {
    answer(200, "text/html; charset=utf-8", "", "<html>canary</html>")
}

fn missing() -> Play {
    json(
        400,
        r#"{"code":400,"message":"Required parameter is missing"}"#,
    )
}

fn credential() -> Credential {
    Credential::parse("my id", SECRET).unwrap()
}

fn at(url: &str, api: Api, settings: Settings) -> Runai {
    let url = BaseUrl::parse(url).unwrap();
    Runai::new(config::Runai { url, api }, settings)
}

fn settings(exchange: Duration, fetch: Duration) -> Settings {
    let timeouts = Timeouts {
        exchange,
        fetch,
        ..Timeouts::default()
    };
    Settings {
        timeouts,
        ..Settings::default()
    }
}

/// Returns the token of one attempt, or its fault, which must not contain the secret or a body.
async fn ask(provider: &Runai) -> Result<String, Fault> {
    let result = provider.fetch(&credential()).await;
    if let Err(fault) = &result {
        let shown = format!("{fault:?}");
        assert!(!shown.to_lowercase().contains("canary"), "{shown}");
        let at = provider.http.origin().to_string();
        assert!(fault.detail.contains(&at), "{shown}");
        assert!(!fault.detail.contains("proxy"), "{shown}");
    }
    result.map(|granted| granted.grant.token.expose().to_owned())
}

async fn play(api: Api, plays: Vec<Play>) -> (Result<String, Fault>, Vec<Sent>) {
    let fake = Fake::start(plays).await;
    let provider = at(&fake.url(), api, Settings::default());
    let result = ask(&provider).await;
    (result, fake.requests())
}

/// Makes one attempt at v2 alone, which must fail, and returns its fault.
async fn fault(script: Play) -> Fault {
    let (result, requests) = play(Api::V2, vec![script]).await;
    assert_eq!(requests.len(), 1, "{result:?}");
    result.unwrap_err()
}

#[tokio::test]
async fn a_response_with_retry_after_ends_the_attempt() {
    let state = |status, body| answer(status, "application/json", "Retry-After: 30\r\n", body);
    for (api, script) in [
        (Api::Auto, state(404, "{}")),
        (
            Api::Auto,
            answer(200, "text/html", "Retry-After: 30\r\n", "<html>"),
        ),
        (
            Api::V1,
            state(400, r#"{"message":"Required parameter is missing"}"#),
        ),
        (Api::V1, state(400, r#"{"message":"no such grantType"}"#)),
    ] {
        let (result, requests) = play(api, vec![script, snake()]).await;
        assert_eq!(requests.len(), 1, "{result:?}");
        let wait = result.unwrap_err().retry_after;
        assert_eq!(wait, Some(Duration::from_secs(30)));
    }
}

#[tokio::test]
async fn the_longest_of_several_retry_after_values_counts() {
    for fields in [
        "Retry-After: 1\r\nRetry-After: 30\r\n",
        "Retry-After: 30, 1\r\n",
    ] {
        for status in [401, 403, 404, 302, 400, 503, 429, 202, 200] {
            let fault = fault(answer(status, "application/json", fields, "{}")).await;
            assert_eq!(fault.retry_after, Some(Duration::from_secs(30)), "{status}");
        }
    }
}

fn lines(requests: &[Sent]) -> Vec<&str> {
    requests.iter().map(Sent::line).collect()
}

#[test]
fn a_pasted_address_normalizes_to_the_base_address() {
    for (text, base) in [
        ("https://acme.run.ai", "https://acme.run.ai/"),
        ("https://acme.run.ai///", "https://acme.run.ai/"),
        ("https://acme.run.ai/api/v1", "https://acme.run.ai/"),
        ("https://acme.run.ai/api/v2/", "https://acme.run.ai/"),
        ("https://acme.run.ai/api", "https://acme.run.ai/"),
        ("https://acme.run.ai/api/v1/token", "https://acme.run.ai/"),
        (
            "https://console.example/runai/api/v1/",
            "https://console.example/runai/",
        ),
        ("http://127.0.0.1:8080/api/v1", "http://127.0.0.1:8080/"),
    ] {
        let provider = at(text, Api::Auto, Settings::default());
        let sent_to = provider.configured.url.endpoint("/");
        assert_eq!(sent_to.as_str(), base, "{text}");
    }
}

#[tokio::test]
async fn v2_gets_a_form_request_with_only_the_necessary_headers() {
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let body = r#"{"access_token":"t2","token_type":"Bearer","expires_in":"3600"}"#;
    let fake = Fake::start(vec![answer(200, "application/json", date, body)]).await;
    let provider = at(&fake.url(), Api::Auto, Settings::default());
    assert_eq!(
        fake.connections(),
        0,
        "nothing is opened before it is needed"
    );

    let granted = provider.fetch(&credential()).await.unwrap();

    assert_eq!(granted.grant.token.expose(), "t2");
    assert_eq!(granted.grant.lifetime, Some(Duration::from_secs(3_600)));
    assert_eq!(granted.server_date.unwrap().seconds_down(), 784_111_777);
    let requests = fake.requests();
    assert_eq!((lines(&requests), requests[0].text()), (vec![V2], FORM));
    // No Authorization, no Cookie, no Referer; Accept-Encoding is fixed.
    assert_eq!(
        requests[0].header_names(),
        [
            "accept",
            "accept-encoding",
            "content-length",
            "content-type",
            "host",
            "user-agent"
        ]
    );
    assert_eq!(
        requests[0].header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(requests[0].header("accept"), Some("application/json"));
    assert_eq!(
        requests[0].header("host"),
        Some(fake.address.to_string().as_str())
    );
    assert_eq!(
        requests[0].header("user-agent"),
        Some(concat!("jeton/", env!("CARGO_PKG_VERSION")))
    );
}

#[tokio::test]
async fn v1_gets_a_json_request() {
    let (result, requests) = play(Api::V1, vec![camel()]).await;
    assert_eq!(result.unwrap(), "t1");
    assert_eq!(
        (lines(&requests), requests[0].text()),
        (vec![V1], CLIENT_ID)
    );
    assert_eq!(
        requests[0].header_names(),
        [
            "accept",
            "accept-encoding",
            "content-length",
            "content-type",
            "host",
            "user-agent"
        ]
    );
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn v1_is_requested_if_v2_is_missing() {
    for first in [
        absent(),
        json(405, "{}"),
        page(),
        answer(404, "text/html", "", "canary"),
        answer(200, "", "", ""),
    ] {
        let (result, requests) = play(Api::Auto, vec![first.clone(), camel()]).await;
        assert_eq!(
            (result.unwrap().as_str(), lines(&requests)),
            ("t1", vec![V2, V1])
        );
        let (result, requests) = play(Api::V2, vec![first, camel()]).await;
        assert!(result.is_err());
        assert_eq!(lines(&requests), [V2]);
    }
}

#[tokio::test]
async fn no_other_endpoint_is_tried_if_one_answers_or_fails() {
    for (script, kind) in [
        (
            json(401, r#"{"error":"invalid_client"}"#),
            FaultKind::Rejected,
        ),
        (
            json(400, r#"{"error":"unauthorized_client"}"#),
            FaultKind::Rejected,
        ),
        (
            json(400, r#"{"code":400,"message":"no"}"#),
            FaultKind::Rejected,
        ),
        (json(403, "{}"), FaultKind::NoEndpoint),
        (
            answer(403, "text/html", "", "canary"),
            FaultKind::NoEndpoint,
        ),
        (json(200, "{}"), FaultKind::Malformed),
        (
            json(200, r#"{"error":"invalid_client"}"#),
            FaultKind::Rejected,
        ),
        (json(429, "{}"), FaultKind::RateLimited),
        (json(500, "{}"), FaultKind::ServerError),
        (
            answer(503, "text/html", "", "canary"),
            FaultKind::ServerError,
        ),
        (
            answer(302, "text/html", "Location: /login\r\n", ""),
            FaultKind::Redirect,
        ),
        (Play::Answer(Vec::new()), FaultKind::Reset),
    ] {
        let (result, requests) = play(Api::Auto, vec![script, camel()]).await;
        assert_eq!(
            (result.unwrap_err().kind, lines(&requests)),
            (kind, vec![V2])
        );
    }
}

#[tokio::test]
async fn a_server_without_any_token_endpoint_is_reported_as_a_wrong_address() {
    let (result, requests) = play(Api::Auto, vec![absent()]).await;
    let fault = result.unwrap_err();
    assert_eq!(
        (fault.kind, lines(&requests)),
        (FaultKind::NoEndpoint, vec![V2, V1])
    );
    assert!(
        fault
            .detail
            .contains("no token endpoint at this address (404)"),
        "{fault:?}"
    );
    let (result, _) = play(Api::Auto, vec![page()]).await;
    assert_eq!(result.unwrap_err().kind, FaultKind::Malformed);
}

/// Creates a provider on a clock that stands still until the test advances it.
async fn timed(plays: Vec<Play>) -> (Runai, Fake, Arc<TestClock>) {
    let fake = Fake::start(plays).await;
    let booted = BootInstant::from_boot(Duration::from_secs(1_000));
    let clock = Arc::new(TestClock::still(booted));
    let provider = Runai {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        ..at(&fake.url(), Api::Auto, Settings::default())
    };
    (provider, fake, clock)
}

#[tokio::test]
async fn the_endpoint_that_worked_is_requested_first() {
    let (provider, fake, clock) = timed(vec![
        absent(),
        camel(),
        camel(),
        json(500, "{}"),
        camel(),
        absent(),
        page(),
        absent(),
        snake(),
        snake(),
    ])
    .await;
    for expected in ["t1", "t1", "failed", "t1", "failed", "failed", "t2", "t2"] {
        clock.suspend(Duration::from_secs(30));
        let got = ask(&provider).await.unwrap_or_else(|_| "failed".to_owned());
        assert_eq!(got, expected);
    }
    // The server was upgraded after the fifth request: v1 is gone, and v2 exists and stays the first.
    let asked = [V2, V1, V1, V1, V1, V1, V1, V1, V2, V2];
    assert_eq!(lines(&fake.requests()), asked);
}

#[tokio::test]
async fn a_known_endpoint_is_not_forgotten_after_a_short_absence() {
    for missing in [
        absent(),
        page(),
        answer(404, "text/html", "", "default backend - 404"),
        json(405, "{}"),
    ] {
        // First many absences in 59 s, then two over an hour, with a token between them.
        let mut plays = vec![snake()];
        plays.extend(vec![missing.clone(); 5]);
        plays.push(snake());
        plays.extend(vec![missing; 2]);
        plays.push(snake());
        let (provider, fake, clock) = timed(plays).await;
        assert_eq!(ask(&provider).await.unwrap(), "t2");
        for seconds in [0, 1, 8, 20, 30] {
            clock.suspend(Duration::from_secs(seconds));
            assert!(ask(&provider).await.is_err());
        }
        assert_eq!(ask(&provider).await.unwrap(), "t2");
        for _ in 0..2 {
            assert!(ask(&provider).await.is_err());
            clock.suspend(Duration::from_secs(1_800));
        }
        assert_eq!(ask(&provider).await.unwrap(), "t2");
        assert_eq!(lines(&fake.requests()), [V2; 10]);
    }
}

#[tokio::test]
async fn the_known_endpoint_stays_first_while_all_are_missing() {
    let mut plays = vec![snake()];
    plays.extend(vec![absent(); 6]);
    plays.extend([snake(), snake()]);
    let (provider, fake, clock) = timed(plays).await;
    assert_eq!(ask(&provider).await.unwrap(), "t2");
    for _ in 0..4 {
        let fault = ask(&provider).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::NoEndpoint);
        clock.suspend(Duration::from_secs(30));
    }
    assert_eq!(ask(&provider).await.unwrap(), "t2");
    // From the third absence on, v1 is tried as well.
    let asked = [V2, V2, V2, V2, V1, V2, V1, V2];
    assert_eq!(lines(&fake.requests()), asked);
}

#[tokio::test]
async fn a_rejection_shows_that_a_known_endpoint_still_exists() {
    let rejected = json(401, r#"{"error":"invalid_client"}"#);
    let plays = vec![snake(), absent(), absent(), rejected, absent(), snake()];
    let (provider, fake, clock) = timed(plays).await;
    assert_eq!(ask(&provider).await.unwrap(), "t2");
    for _ in 0..4 {
        assert!(ask(&provider).await.is_err());
        clock.suspend(Duration::from_secs(60));
    }
    assert_eq!(ask(&provider).await.unwrap(), "t2");
    assert_eq!(lines(&fake.requests()), [V2; 6]);
}

#[tokio::test]
async fn v1_is_retried_with_the_other_spelling_of_the_client_id() {
    let fake = Fake::start(vec![missing(), camel(), camel()]).await;
    let provider = at(&fake.url(), Api::V1, Settings::default());
    assert_eq!(ask(&provider).await.unwrap(), "t1");
    assert_eq!(ask(&provider).await.unwrap(), "t1");
    let requests = fake.requests();
    let bodies: Vec<_> = requests.iter().map(Sent::text).collect();
    assert_eq!(
        bodies,
        [CLIENT_ID, CLIENT_ID_OF_GUIDES, CLIENT_ID_OF_GUIDES]
    );
}

#[tokio::test]
async fn a_v1_that_rejects_every_form_gets_each_form_once() {
    let (result, requests) = play(
        Api::V1,
        vec![missing(), json(400, r#"{"code":400,"message":"second"}"#)],
    )
    .await;
    let fault = result.unwrap_err();
    assert_eq!((fault.kind, requests.len()), (FaultKind::Rejected, 3));
    assert!(
        fault.detail.contains("Required parameter is missing"),
        "{fault:?}"
    );
    // A failure of the second request is not a rejection.
    let (result, _) = play(Api::V1, vec![missing(), json(503, "{}")]).await;
    assert_eq!(result.unwrap_err().kind, FaultKind::ServerError);
}

#[tokio::test]
async fn a_rejection_by_v1_causes_no_second_request() {
    for script in [
        json(400, r#"{"error":"invalid_client"}"#),
        json(400, r#"{"error":"Invalid credentials"}"#),
        json(401, r#"{"code":401,"message":"Issuer is not familiar."}"#),
        json(
            403,
            r#"{"code":403,"message":"You do not have sufficient permissions."}"#,
        ),
    ] {
        let (result, requests) = play(Api::V1, vec![script]).await;
        assert_eq!(
            (result.unwrap_err().kind, requests.len()),
            (FaultKind::Rejected, 1)
        );
    }
}

#[tokio::test]
async fn a_web_page_at_v1_does_not_cause_another_request() {
    for status in [400, 401, 403] {
        let page = answer(status, "text/html", "", "<html>canary</html>");
        let (result, requests) = play(Api::V1, vec![page, camel()]).await;
        assert!(!result.unwrap_err().is_of_credential(), "{status}");
        assert_eq!(requests.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn no_redirect_status_is_followed() {
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let elsewhere = Fake::start(vec![snake()]).await;
        for to in [
            format!("{}/api/v2/token?canary", elsewhere.url()),
            format!("//{}/", elsewhere.address),
        ] {
            let (result, requests) = play(
                Api::Auto,
                vec![answer(
                    status,
                    "application/json",
                    &format!("Location: {to}\r\n"),
                    "{}",
                )],
            )
            .await;
            let fault = result.unwrap_err();
            assert_eq!(
                (fault.kind, lines(&requests)),
                (FaultKind::Redirect, vec![V2]),
                "{status}"
            );
            assert!(
                !to.starts_with("http") || fault.detail.contains(&elsewhere.url()),
                "{fault:?}"
            );
        }
        assert_eq!(elsewhere.connections(), 0, "{status}");
    }
    // Nor is a redirect to the same address followed.
    let fault = fault(answer(
        307,
        "application/json",
        "Location: /api/v2/token\r\n",
        "{}",
    ))
    .await;
    assert_eq!(fault.kind, FaultKind::Redirect);
}

#[tokio::test]
async fn a_response_without_a_valid_token_is_malformed() {
    let deep = format!(
        r#"{{"access_token":"canary","x":{}{}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    for script in [
        page(),
        json(200, r#"{"access_token":"t","error":"invalid_client","error_description":"canary&=+% \"\\/'~"}"#),
        json(200, r#"{"access_token":""}"#),
        json(200, r#"{"access_token":"canary\r\nSet-Cookie: x"}"#),
        json(200, "{\"access_token\":\"canary\"}\n{\"access_token\":\"canary\"}"),
        json(200, &deep),
        json(204, ""),
        Play::Answer(b"canary canary\r\n\r\n".to_vec()),
        Play::Answer(b"SSH-2.0-canary\r\n".to_vec()),
        Play::Answer(b"\x15\x03\x01\x00\x02\x02\x46canary\r\n\r\n".to_vec()),
        Play::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n".to_vec()),
        Play::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\ncanary".to_vec()),
        Play::Answer(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n".to_vec(),
        ),
    ] {
        let fault = fault(script).await;
        assert_eq!(fault.kind, FaultKind::Malformed, "{fault:?}");
    }
}

#[tokio::test]
async fn a_broken_connection_is_a_reset_fault_at_any_point() {
    let head =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n".to_vec();
    let half = [head.as_slice(), br#"{"access_token":"canary"}"#].concat();
    let chunk = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n".to_vec();
    for bytes in [Vec::new(), b"HTTP/1.1 2".to_vec(), head, half, chunk] {
        for script in [Play::Answer(bytes.clone()), Play::Reset(bytes.clone())] {
            let fault = fault(script).await;
            assert_eq!(fault.kind, FaultKind::Reset, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn an_endless_response_is_read_up_to_the_size_limit() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n40000000\r\n");
    for (head, most) in [
        (format!("{head}\r\n"), 32 << 20),
        (
            format!("{head}Content-Length: 1073741824\r\n\r\n"),
            32 << 20,
        ),
        (chunked, 32 << 20),
        // Endless headers: `X: ` and blanks.
        (format!("{head}X: "), 32 << 20),
    ] {
        let fake = Fake::start(vec![Play::Endless(head.into_bytes())]).await;
        let provider = at(&fake.url(), Api::V2, Settings::default());
        let fault = ask(&provider).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::TooLarge, "{fault:?}");
        // The kernel's buffers hold more than was read.
        assert!(fake.written() < most, "{}", fake.written());
    }
    let headers = "X: canary\r\n".repeat(100_000);
    assert_eq!(
        fault(answer(200, "application/json", &headers, "{}"))
            .await
            .kind,
        FaultKind::TooLarge
    );
    let one_too_many = format!(r#"{{"access_token":"t","x":"{}"}}"#, "a".repeat(160 * 1024));
    assert_eq!(
        fault(json(200, &one_too_many)).await.kind,
        FaultKind::TooLarge
    );
}

#[tokio::test]
async fn a_token_of_the_maximum_length_is_accepted_beside_a_refresh_token() {
    let longest = "a".repeat(crate::token::MAX_TOKEN_LEN);
    let body =
        format!(r#"{{"access_token":"{longest}","refresh_token":"{longest}","expires_in":60}}"#);
    let (token, _) = play(Api::Auto, vec![json(200, &body)]).await;
    assert_eq!(token.unwrap(), longest);
}

#[tokio::test]
async fn an_error_counts_by_its_status_even_if_its_body_is_endless_or_broken() {
    let head = "HTTP/1.1 503 X\r\nContent-Type: application/json\r\nRetry-After: 7\r\nContent-Length: 1073741824\r\n\r\n{";
    for script in [
        Play::Endless(head.into()),
        Play::Reset(head.into()),
        Play::Answer(head.into()),
    ] {
        let fault = fault(script).await;
        assert_eq!(
            (fault.kind, fault.retry_after),
            (FaultKind::ServerError, Some(Duration::from_secs(7)))
        );
    }
}

#[tokio::test]
async fn a_slow_response_ends_at_the_exchange_timeout() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    for head in [head, "HTTP/1.1 200 OK\r\nX:"] {
        let fake = Fake::start(vec![Play::Drip(head.into())]).await;
        let settings = settings(Duration::from_millis(200), Duration::from_secs(600));
        let provider = at(&fake.url(), Api::Auto, settings);
        let fault = ask(&provider).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Timeout, "{fault:?}");
        assert!(
            fake.connections() <= 1,
            "a timeout is no reason to ask elsewhere"
        );
        assert!(fault.detail.contains("within 200ms"), "{fault:?}");
    }
}

#[tokio::test]
async fn an_attempt_ends_at_its_deadline_regardless_of_its_requests() {
    let fake = Fake::start(vec![
        absent(),
        Play::Drip(b"HTTP/1.1 200 OK\r\nX:".to_vec()),
    ])
    .await;
    let settings = settings(Duration::from_secs(600), Duration::from_millis(300));
    let provider = at(&fake.url(), Api::Auto, settings);
    let fault = ask(&provider).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Timeout, "{fault:?}");
    assert!(fault.detail.contains("within 300ms"), "{fault:?}");
}

#[tokio::test]
async fn retry_after_is_passed_on() {
    let dates =
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n";
    for (status, kind) in [(429, FaultKind::RateLimited), (503, FaultKind::ServerError)] {
        for (headers, wait) in [
            ("Retry-After: 120\r\n", Some(120)),
            (dates, Some(60)),
            ("Retry-After: x\r\n", None),
        ] {
            let fault = fault(answer(status, "text/plain", headers, "canary")).await;
            assert_eq!(
                (fault.kind, fault.retry_after),
                (kind, wait.map(Duration::from_secs))
            );
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_a_connect_fault() {
    // Bound, so that no other test gets the port, but not listening.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let provider = at(&url, Api::Auto, Settings::default());
    let fault = ask(&provider).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Connect, "{fault:?}");
    assert!(fault.detail.contains("refused"), "{fault:?}");
}
