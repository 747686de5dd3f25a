//! Client authentication at an issuer: enrolment finds the form that the issuer accepts, once, and the daemon keeps
//! using it.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::support::env::Output;

/// The way in which an issuer reads the client ID and secret of the `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum HeaderReading {
    /// As RFC 6749 requires: decodes both parts.
    #[default]
    Decoded,
    /// Compares both parts without decoding.
    Raw,
    /// Accepts the credential in the request body only.
    Body,
    /// Refuses every request.
    Nothing,
}

/// An issuer with one client.
struct Issuer {
    url: String,
    inner: Arc<Mutex<IssuerState>>,
}

#[derive(Default)]
struct IssuerState {
    reads: HeaderReading,
    id: String,
    secret: String,
    /// The answer to an unknown client: the rest of the status line, and the body.
    refusal: (String, String),
    /// The member of the discovery document that lists the methods, with a comma before it.
    listed: String,
    /// What it received: the credential from the header, and the body.
    sent: Vec<(Option<String>, String)>,
}

impl Issuer {
    fn start(id: &str, secret: &str, reads: HeaderReading) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let invalid = r#"{"error":"invalid_client"}"#;
        let inner = IssuerState {
            reads,
            id: id.to_owned(),
            secret: secret.to_owned(),
            refusal: ("401 Unauthorized".to_owned(), invalid.to_owned()),
            ..IssuerState::default()
        };
        let inner = Arc::new(Mutex::new(inner));
        let (own, address) = (Arc::clone(&inner), url.clone());
        // The thread ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client may close its connection at any time.
                let _ = stream.and_then(|stream| answer(stream, &own, &address));
            }
        });
        Self { url, inner }
    }

    fn inner(&self) -> MutexGuard<'_, IssuerState> {
        self.inner.lock().unwrap()
    }

    /// Takes the header credentials received since the last call.
    fn pairs(&self) -> Vec<Option<String>> {
        let sent = std::mem::take(&mut self.inner().sent);
        sent.into_iter().map(|(pair, _)| pair).collect()
    }
}

/// Serves one request on a connection.
fn answer(mut stream: TcpStream, inner: &Mutex<IssuerState>, url: &str) -> io::Result<()> {
    let mut head = vec![];
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let header = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        fields.find_map(|(field, value)| field.eq_ignore_ascii_case(name).then_some(value))
    };
    let length = header("content-length").map_or(0, |value| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    let mut inner = inner.lock().unwrap();
    let (status, text) = if head.starts_with("GET /.well-known/oauth-authorization-server") {
        let listed = &inner.listed;
        let document = format!(r#"{{"issuer":"{url}","token_endpoint":"{url}/token"{listed}}}"#);
        ("200 OK".to_owned(), document)
    } else {
        let pair = header("authorization").map(|value| {
            let code = value.strip_prefix("Basic ").unwrap();
            String::from_utf8(STANDARD.decode(code).unwrap()).unwrap()
        });
        let is_known = inner.knows(pair.as_deref(), &body);
        inner.sent.push((pair, body));
        if is_known {
            let token = format!("token-{:016}", inner.sent.len());
            let body =
                format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":600}}"#);
            ("200 OK".to_owned(), body)
        } else {
            inner.refusal.clone()
        }
    };
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    );
    stream.write_all(answer.as_bytes())
}

impl IssuerState {
    fn knows(&self, pair: Option<&str>, body: &str) -> bool {
        let decoded = |text: &str| {
            let form = format!("x={}", text.replace('&', "%26"));
            let first = url::form_urlencoded::parse(form.as_bytes()).next();
            first.unwrap().1.into_owned()
        };
        let split = pair.and_then(|pair| pair.split_once(':'));
        match self.reads {
            HeaderReading::Nothing => false,
            HeaderReading::Raw => pair == Some(&format!("{}:{}", self.id, self.secret)),
            HeaderReading::Decoded => split.is_some_and(|(id, secret)| {
                (decoded(id), decoded(secret)) == (self.id.clone(), self.secret.clone())
            }),
            HeaderReading::Body => {
                let has = |name: &str, text: &str| {
                    let mut fields = url::form_urlencoded::parse(body.as_bytes());
                    fields.any(|(field, value)| field == name && value == text)
                };
                pair.is_none() && has("client_id", &self.id) && has("client_secret", &self.secret)
            }
        }
    }
}

/// A test environment whose outputs must not contain this secret.
fn set_up(secret: &str) -> TestEnv {
    let mut env = TestEnv::new();
    env.forbid_secret("the client secret", secret);
    env
}

fn add(env: &TestEnv, id: &str, secret: &str, args: &[&str]) -> Output {
    let mut command = env.jetond_command(&["add", "reports"]);
    command
        .args(args)
        .args(["--client-id", id, "--client-secret-stdin"]);
    env.finish("jetond", command, format!("{secret}\n").as_bytes(), false)
}

/// Returns the arguments for a token endpoint.
fn at_token(issuer: &Issuer) -> Vec<String> {
    let url = format!("{}/token", issuer.url);
    ["--provider", "oauth2", "--token-url", &url]
        .map(str::to_owned)
        .to_vec()
}

fn add_at(env: &TestEnv, issuer: &Issuer, more: &[&str]) -> Output {
    let (id, secret) = {
        let inner = issuer.inner();
        (inner.id.clone(), inner.secret.clone())
    };
    let args = at_token(issuer);
    let args: Vec<_> = args
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    add(env, &id, &secret, &args)
}

fn config(env: &TestEnv) -> String {
    fs::read_to_string(env.config()).unwrap()
}

/// A secret with every kind of character that a decoder changes.
const SECRET: &str = "canary-4f2a%2B+91 c7~=:/d";

#[test]
fn enrolment_retries_with_raw_credentials_if_the_issuer_does_not_decode_them() {
    let env = set_up(SECRET);
    let issuer = Issuer::start("my:app", SECRET, HeaderReading::Raw);
    let encoded = "my%3Aapp:canary-4f2a%252B%2B91%20c7~=:/d".to_owned();
    let raw = format!("my:app:{SECRET}");
    let added = add_at(&env, &issuer, &[]);
    assert_eq!(added.code, 0, "{added:?}");
    assert_eq!(issuer.pairs(), [Some(encoded), Some(raw.clone())]);
    let written = config(&env);
    assert!(
        written.contains("client-auth = \"basic-raw\"\n"),
        "{written}"
    );
    assert!(
        added.stdout.contains("client-auth = \"basic-raw\""),
        "{added:?}"
    );

    let mut daemon = env.start();
    env.token(&daemon, "reports");
    issuer.inner().reads = HeaderReading::Nothing;
    let target = "/v1/profiles/reports/refresh";
    env.request(&daemon.socket, "POST", target, &[], b"");
    wait_until("a second token request", || issuer.inner().sent.len() >= 2);
    env.stop(&mut daemon);
    let pairs = issuer.pairs();
    assert!(
        pairs.iter().all(|pair| *pair == Some(raw.clone())),
        "{pairs:?}"
    );
}

#[test]
fn an_issuer_that_decodes_credentials_gets_one_enrolment_attempt() {
    for (given, sent) in [
        (&[][..], 1),
        (&["--client-auth", "basic"], 1),
        // The method that the user chose is tried first.
        (&["--client-auth", "basic-raw"], 2),
    ] {
        let env = set_up(SECRET);
        let issuer = Issuer::start("my:app", SECRET, HeaderReading::Decoded);
        let added = add_at(&env, &issuer, given);
        assert_eq!(added.code, 0, "{added:?}");
        assert_eq!(issuer.pairs().len(), sent);
        let written = config(&env);
        assert!(!written.contains("client-auth"), "{written}");
    }
}

#[test]
fn enrolment_retries_with_raw_credentials_only_if_that_can_help() {
    let invalid_client = r#"{"error":"invalid_client"}"#;
    let same = "canary-dGhlIHNlY3JldA==~:/";
    for (secret, status, body, sent, is_told) in [
        (SECRET, "401 Unauthorized", "", 2, true),
        (SECRET, "401 Unauthorized", invalid_client, 2, true),
        (SECRET, "400 Bad Request", invalid_client, 2, true),
        (same, "401 Unauthorized", invalid_client, 1, true),
        (
            SECRET,
            "400 Bad Request",
            r#"{"error":"invalid_request"}"#,
            1,
            true,
        ),
        (
            SECRET,
            "403 Forbidden",
            r#"{"error":"access_denied"}"#,
            1,
            true,
        ),
        (
            SECRET,
            "400 Bad Request",
            r#"{"error":"invalid_scope"}"#,
            1,
            false,
        ),
        (SECRET, "404 Not Found", "", 1, false),
        (SECRET, "429 Too Many Requests", invalid_client, 1, false),
        (SECRET, "503 Unavailable", invalid_client, 1, false),
    ] {
        let env = set_up(secret);
        let issuer = Issuer::start("app", secret, HeaderReading::Nothing);
        issuer.inner().refusal = (status.to_owned(), body.to_owned());
        let added = add_at(&env, &issuer, &[]);
        assert_ne!(added.code, 0, "{status} {body}: {added:?}");
        assert_eq!(issuer.pairs().len(), sent, "{status} {body}: {added:?}");
        assert!(!env.config().exists() && !env.record("reports").exists());
        let first = "with client-auth \"basic\"";
        assert_eq!(added.stderr.contains(first), is_told, "{status}: {added:?}");
        let second = "and then client-auth \"basic-raw\"";
        assert_eq!(added.stderr.contains(second), sent == 2, "{added:?}");
    }
}

#[test]
fn a_rebind_writes_the_accepted_client_auth_and_keeps_every_other_byte() {
    let (old, new) = ("canary-0d1c9b7e5a", SECRET);
    let mut env = set_up(old);
    env.forbid_secret("the new client secret", new);
    let issuer = Issuer::start("app", old, HeaderReading::Raw);
    let added = add_at(&env, &issuer, &[]);
    assert_eq!(added.code, 0, "{added:?}");
    let before = format!(
        "# ours\n{}# the end",
        config(&env).replace("store", "store ")
    );
    fs::write(env.config(), &before).unwrap();
    issuer.pairs();
    issuer.inner().secret = new.to_owned();
    let rebound = add(&env, "app", new, &["--rebind"]);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    assert_eq!(issuer.pairs().len(), 2);
    let provider = "provider = \"oauth2\"\n";
    let expected = before.replace(
        provider,
        &format!("{provider}client-auth = \"basic-raw\"\n"),
    );
    assert_eq!(config(&env), expected);
    let mut daemon = env.start();
    env.token(&daemon, "reports");
    env.stop(&mut daemon);
}

#[test]
fn enrolment_uses_the_only_client_auth_an_issuer_lists_unless_the_user_chooses() {
    let secret = "canary-77aa0c13be";
    for (listed, given, reads, code, written, told) in [
        (
            r#"["client_secret_post","private_key_jwt"]"#,
            &[][..],
            HeaderReading::Body,
            0,
            Some("client-auth = \"post\"\n"),
            "lists only client_secret_post",
        ),
        (
            r#"["client_secret_basic"]"#,
            &[],
            HeaderReading::Decoded,
            0,
            None,
            "",
        ),
        (
            r#"["client_secret_basic","client_secret_post"]"#,
            &[],
            HeaderReading::Body,
            1,
            None,
            "lists client_secret_basic and client_secret_post",
        ),
        (
            r#"["client_secret_post"]"#,
            &["--client-auth", "basic"],
            HeaderReading::Body,
            1,
            None,
            "lists client_secret_post: try --client-auth post",
        ),
        (
            r#"["client_secret_post"]"#,
            &["--client-auth", "basic"],
            HeaderReading::Decoded,
            0,
            None,
            "",
        ),
        (
            r#"["private_key_jwt"]"#,
            &[],
            HeaderReading::Nothing,
            1,
            None,
            "lists private_key_jwt: this version can send",
        ),
    ] {
        let env = set_up(secret);
        let issuer = Issuer::start("app", secret, reads);
        issuer.inner().listed = format!(r#","token_endpoint_auth_methods_supported":{listed}"#);
        let args = ["--provider", "oauth2", "--issuer", &issuer.url];
        let added = add(&env, "app", secret, &[&args, given].concat());
        assert_eq!(added.code, code, "{listed}: {added:?}");
        let all = format!("{}{}", added.stdout, added.stderr);
        assert!(all.contains(told), "{listed}: {added:?}");
        assert_eq!(issuer.pairs().len(), 1);
        if code == 0 {
            let config = config(&env);
            match written {
                Some(line) => assert!(config.contains(line), "{config}"),
                None => assert!(!config.contains("client-auth"), "{config}"),
            }
        } else {
            assert!(!env.config().exists());
        }
    }
}

#[test]
fn client_id_in_body_sends_the_client_id_in_the_header_and_in_the_body() {
    let secret = "canary-aa31f0c9d2";
    let env = set_up(secret);
    let issuer = Issuer::start("my app", secret, HeaderReading::Decoded);
    let added = add_at(&env, &issuer, &["--client-id-in-body"]);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(config(&env).contains("client-id-in-body = true\n"));
    let mut daemon = env.start();
    env.token(&daemon, "reports");
    env.stop(&mut daemon);
    let sent = std::mem::take(&mut issuer.inner().sent);
    assert_eq!(sent.len(), 2);
    for (pair, body) in sent {
        assert_eq!(pair, Some(format!("my%20app:{secret}")));
        assert_eq!(body, "grant_type=client_credentials&client_id=my+app");
    }
}

/// Then the token endpoint's address comes from the credential, not from the configuration.
#[test]
fn a_profile_with_discovery_is_notified_of_other_tokens_for_its_client() {
    let secret = "canary-7be0d15c3a";
    let env = set_up(secret);
    let issuer = Issuer::start("app", secret, HeaderReading::Decoded);
    let args = ["--provider", "oauth2", "--issuer", &issuer.url];
    let added = add(&env, "app", secret, &args);
    assert_eq!(added.code, 0, "{added:?}");
    let mut daemon = env.start();
    let name = "reports";
    let told = |origin: &str| {
        let body = format!(r#"{{"origin":"{origin}","client_id":"app"}}"#);
        let path = "/v1/token-issued";
        let answer = env.request(&daemon.admin, "POST", path, &[], body.as_bytes());
        assert_eq!(answer.status, 200);
        answer.json()["profiles"].clone()
    };
    let token = env.token(&daemon, name);
    assert_eq!(told("http://127.0.0.1:1"), json!([]));
    assert_eq!(env.token(&daemon, name), token);
    assert_eq!(told(&issuer.url), json!([name]));
    wait_until("the refresh", || env.token(&daemon, name) != token);
    // Verifying a new secret also obtains a token.
    let token = env.token(&daemon, name);
    let rebound = add(&env, "app", secret, &["--rebind"]);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    wait_until("the refresh", || env.token(&daemon, name) != token);
    env.stop(&mut daemon);
}
