//! Redirects and proxies: the client secret is sent only to the address it was enrolled for. It is not sent to a
//! redirect's target, not to a proxy that was not configured, and not unencrypted through a configured one.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use jetond::sandbox::Line;
use serde_json::Value;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

/// A host that must receive nothing.
struct Stranger(TcpListener);

impl Stranger {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// Returns a connection that is already there. Does not wait for one.
    fn accept(&self) -> Option<TcpStream> {
        match self.0.accept() {
            Ok((stream, _)) => Some(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }
}

fn status(env: &TestEnv, daemon: &Daemon, profile: &str) -> Value {
    env.get(daemon, &format!("/v1/profiles/{profile}")).json()
}

fn wait_for_fault(env: &TestEnv, daemon: &Daemon, profile: &str) -> Value {
    let mut fault = Value::Null;
    wait_until("a fault", || {
        fault = status(env, daemon, profile)["last_fault"].clone();
        fault.is_object()
    });
    fault
}

#[test]
fn no_redirect_of_any_kind_is_followed() {
    let mut env = TestEnv::new();
    let stranger = Stranger::new();
    let to = stranger.address();
    let password = "password-of-a-redirect";
    env.forbid("a password in a Location", password);
    let locations = [
        format!("http://{to}/api/v2/token"),
        format!("//{to}/"),
        format!("http://user:{password}@{to}/"),
        format!("https://{to}/?next={password}"),
        "/api/v1/token".to_owned(),
        "".to_owned(),
    ];
    let mut cases = vec![];
    for code in [300, 301, 302, 303, 304, 305, 307, 308] {
        for location in &locations {
            let sandbox = env.add_sandbox(Line::V2_24, 600);
            let profile = format!("p{sandbox}");
            env.enrol_at(&profile, &env.sandboxes()[sandbox].url());
            env.fault_at(sandbox, &format!("redirect:{code}:{location}"));
            cases.push((sandbox, profile, code, location));
        }
    }
    let mut daemon = env.start();
    for (sandbox, profile, code, location) in &cases {
        let fault = wait_for_fault(&env, &daemon, profile);
        assert_eq!(fault["kind"], "redirect", "{code} {location}: {fault}");
        let detail = fault["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("({code})")), "{detail}");
        let names_target = location.starts_with("http");
        assert_eq!(
            detail.contains(&to),
            names_target,
            "{code} {location}: {detail}"
        );
        // Each attempt is a single request. Even a redirect to the same host is not followed.
        let sandbox = &env.sandboxes()[*sandbox];
        let attempts = status(&env, &daemon, profile)["counts"]["failures"].as_u64();
        let paths: Vec<String> = sandbox
            .requests()
            .into_iter()
            .map(|seen| seen.path)
            .collect();
        assert!(
            paths.iter().all(|path| path == "/api/v2/token"),
            "{paths:?}"
        );
        // The request of the enrolment, and one that may be running.
        let most = attempts.unwrap() + 2;
        assert!(sandbox.stats().token_requests <= most, "{code} {location}");
    }
    // By now a followed redirect would have reached the stranger, so it is enough to check for a connection.
    assert!(
        stranger.accept().is_none(),
        "a client followed the redirect"
    );
    env.stop(&mut daemon);
    assert!(
        stranger.accept().is_none(),
        "a client followed the redirect"
    );
}

#[test]
fn nothing_is_enrolled_at_an_address_that_redirects() {
    let env = TestEnv::with_sandbox(600);
    let stranger = Stranger::new();
    env.fault(&format!("redirect:308:http://{}/", stranger.address()));
    let added = env.try_enrol_at("research", &env.sandbox().url());
    assert_eq!(added.code, 78, "{added:?}");
    assert!(added.stderr.contains("redirect"), "{added:?}");
    assert!(!env.record("research").exists() && !env.config().exists());
    assert!(stranger.accept().is_none());
}

/// Stores a credential as if it had been enrolled at this address, at which the test gets no tokens.
fn enrol_elsewhere(env: &TestEnv, profile: &str, url: &str, proxy: Option<&str>) {
    env.enrol("model");
    let record = fs::read_to_string(env.record("model")).unwrap();
    let mut record: Value = serde_json::from_str(&record).unwrap();
    record["origin"] = url.into();
    record["endpoint"] = format!("{url}/").into();
    record["proxy"] = proxy.map_or(Value::Null, Value::from);
    fs::copy(env.record("model"), env.record(profile)).unwrap();
    fs::write(env.record(profile), record.to_string()).unwrap();
    let proxy = proxy.map_or(String::new(), |proxy| format!("proxy = \"{proxy}\"\n"));
    let config = format!(
        "[profiles.{profile}]\nprovider = \"runai\"\nurl = \"{url}\"\nstore = \"file\"\n{proxy}"
    );
    fs::write(env.config(), config).unwrap();
}

#[test]
fn the_daemon_ignores_the_proxy_variables_of_its_environment() {
    let env = TestEnv::with_sandbox(600);
    let stranger = Stranger::new();
    enrol_elsewhere(&env, "far", "https://issuer.invalid", None);
    env.enrol("near");
    let mut command = env.jetond_command(&["run"]);
    let proxy = format!("http://{}", stranger.address());
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
        command.env(name, &proxy).env(name.to_lowercase(), &proxy);
    }
    let mut daemon = env.start_command(command);
    let fault = wait_for_fault(&env, &daemon, "far");
    assert_eq!(fault["kind"], "dns", "{fault}");
    env.token(&daemon, "near");
    env.stop(&mut daemon);
    assert!(stranger.accept().is_none(), "the proxy got a request");
}

/// Waits for a connection, answers it with this, and returns the request.
fn answer_one(stranger: &Stranger, answer: &str) -> String {
    let mut stream = None;
    wait_until("a connection at the proxy", || {
        stream = stranger.accept();
        stream.is_some()
    });
    let mut stream = stream.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut head = vec![];
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    stream.write_all(answer.as_bytes()).unwrap();
    // Anything that was sent after the request's head.
    let mut rest = vec![];
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut rest);
    head.extend(rest);
    String::from_utf8(head).unwrap()
}

#[test]
fn a_configured_proxy_gets_only_a_request_for_a_tunnel() {
    let env = TestEnv::with_sandbox(600);
    let stranger = Stranger::new();
    let proxy = format!("http://{}", stranger.address());
    enrol_elsewhere(&env, "far", "https://issuer.invalid", Some(&proxy));
    let mut daemon = env.start();
    let asked = answer_one(
        &stranger,
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    );
    // The environment searches this text for the secret as well.
    env.add_output("a request to the proxy", asked.as_bytes(), false);
    assert!(
        asked.starts_with("CONNECT issuer.invalid:443 HTTP/1.1\r\n"),
        "{asked}"
    );
    let asked = asked.to_lowercase();
    for header in ["authorization", "cookie", "content-length", "referer"] {
        assert!(!asked.contains(header), "{asked}");
    }
    let fault = wait_for_fault(&env, &daemon, "far");
    assert_eq!(fault["kind"], "connect", "{fault}");
    let detail = fault["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("the proxy {proxy}")), "{detail}");
    env.stop(&mut daemon);
}

/// An issuer's challenge names a realm's address. Some clients send the credential there (CVE-2020-15157).
#[test]
fn the_credential_is_not_sent_to_a_challenges_realm() {
    let env = TestEnv::with_sandbox(600);
    let (issuer, stranger) = (Stranger::new(), Stranger::new());
    let url = format!("http://{}", issuer.address());
    enrol_elsewhere(&env, "far", &url, None);
    let mut daemon = env.start();
    let to = stranger.address();
    let body = "{\"error\":\"invalid_client\"}";
    let answer = format!(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://{to}/token\",service=\"far\"\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = answer_one(&issuer, &answer);
    let fault = wait_for_fault(&env, &daemon, "far");
    assert_eq!(fault["kind"], "rejected", "{fault}");
    assert!(!fault.to_string().contains(&to), "{fault}");
    assert!(stranger.accept().is_none(), "the realm got a request");
    env.stop(&mut daemon);
    assert!(stranger.accept().is_none(), "the realm got a request");
}

/// The reverse: a configured proxy is not used for a loopback address.
#[test]
fn a_loopback_address_is_reached_without_any_proxy() {
    let env = TestEnv::with_sandbox(600);
    let stranger = Stranger::new();
    let proxy = format!("http://{}", stranger.address());
    env.enrol("near");
    let config = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), format!("{config}proxy = \"{proxy}\"\n")).unwrap();
    let mut daemon = env.start();
    let token = env.token(&daemon, "near");
    assert_eq!(env.sandbox().issued().last(), Some(&token));
    env.stop(&mut daemon);
    assert!(stranger.accept().is_none(), "the proxy got a request");
}
