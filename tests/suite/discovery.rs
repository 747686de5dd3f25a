//! Invalid discovery documents, with the real programs: no enrolment succeeds, no secret goes where the document
//! points, and the daemon keeps serving the tokens it holds. Of two profiles, a broken one does not affect the other.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::Value;

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::env::Output;
use crate::terminal::Terminal;

/// An issuer whose answers the test sets.
struct Issuer {
    url: String,
    inner: Arc<Mutex<IssuerState>>,
}

#[derive(Default)]
struct IssuerState {
    /// The answer for the metadata of RFC 8414 without the end of the head: status line, headers, body.
    document: String,
    /// The same for the metadata of an `OpenID` provider. Empty if it has none.
    openid: String,
    /// The open connections of requests that were answered with [`HANG`].
    hanging: Vec<TcpStream>,
    /// The client that is rejected.
    rejected: Option<String>,
    /// The requests received: method and path.
    asked: Vec<String>,
    tokens: Vec<String>,
}

impl Issuer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Self {
            url,
            inner: Arc::default(),
        };
        issuer.is_well();
        let inner = Arc::clone(&issuer.inner);
        // The thread ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client may close its connection at any time.
                let _ = stream.and_then(|stream| answer(stream, &inner));
            }
        });
        issuer
    }

    fn inner(&self) -> MutexGuard<'_, IssuerState> {
        self.inner.lock().unwrap()
    }

    /// Sets the answer to a request for the document. `ISSUER` stands for the issuer's address.
    fn says(&self, head: &str, body: &str) {
        let text = format!("HTTP/1.1 {head}\r\n\r\n{body}").replace("ISSUER", &self.url);
        self.inner().document = text;
    }

    fn is_well(&self) {
        self.says(JSON, GOOD);
    }

    /// Serves the right document at the path of an `OpenID` provider.
    fn is_an_openid_provider(&self) {
        let text = format!("HTTP/1.1 {JSON}\r\n\r\n{GOOD}").replace("ISSUER", &self.url);
        self.inner().openid = text;
    }

    /// Returns the number of requests with this method.
    fn count(&self, method: &str) -> usize {
        let inner = self.inner();
        inner
            .asked
            .iter()
            .filter(|line| line.starts_with(method))
            .count()
    }
}

/// Serves one request on a connection.
fn answer(mut stream: TcpStream, inner: &Mutex<IssuerState>) -> io::Result<()> {
    let mut head = vec![];
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    let mut inner = inner.lock().unwrap();
    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1");
    inner.asked.push(line.to_owned());
    let answer = if line == "GET /.well-known/oauth-authorization-server" {
        assert!(!head.to_lowercase().contains("authorization:"), "{head}");
        if inner.document.starts_with(&format!("HTTP/1.1 {HANG}")) {
            inner.hanging.push(stream);
            return Ok(());
        }
        inner.document.clone()
    } else if line == "GET /.well-known/openid-configuration" && !inner.openid.is_empty() {
        inner.openid.clone()
    } else if line == "POST /token" {
        let client = body
            .split('&')
            .find_map(|pair| pair.strip_prefix("client_id="));
        if client.is_some() && client == inner.rejected.as_deref() {
            format!("HTTP/1.1 401 No\r\n{TYPE}\r\n\r\n{{\"error\":\"invalid_client\"}}")
        } else {
            let mut random = [0; 16];
            getrandom::fill(&mut random).unwrap();
            let token: String = random.iter().map(|b| format!("{b:02x}")).collect();
            inner.tokens.push(token.clone());
            format!(
                "HTTP/1.1 {JSON}\r\n\r\n{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":600}}"
            )
        }
    } else {
        "HTTP/1.1 404 Not Found\r\n\r\n".to_owned()
    };
    stream.write_all(answer.as_bytes())
}

/// Used instead of a status line: the issuer does not answer.
const HANG: &str = "(hangs)";
const TYPE: &str = "Content-Type: application/json\r\nConnection: close";
const JSON: &str = "200 OK\r\nContent-Type: application/json\r\nConnection: close";
const GOOD: &str = r#"{"issuer":"ISSUER","token_endpoint":"ISSUER/token"}"#;

/// Invalid documents: the head and the body, the exit code of `jetond add`, the kind of fault, and a part of the
/// message.
#[rustfmt::skip]
const BAD: &[(&str, &str, i32, &str, &str)] = &[
    (JSON, r#"{"issuer":"https://stranger.example","token_endpoint":"ISSUER/token"}"#, 78, "malformed", "names another issuer than the configured one, \"https://stranger.example\""),
    (JSON, r#"{"issuer":"ISSUER/","token_endpoint":"ISSUER/token"}"#, 78, "malformed", "names another issuer, \"ISSUER/\": the two differ in the final slash, so write the issuer as it does, with it"),
    (JSON, r#"{"issuer":"https://login.example/{tenantid}/v2.0","token_endpoint":"ISSUER/token"}"#, 78, "malformed", "{tenantid} stands for the ID of one of them"),
    (JSON, r#"{"token_endpoint":"ISSUER/token"}"#, 78, "malformed", "names no issuer"),
    (JSON, r#"{"issuer":"ISSUER"}"#, 78, "malformed", "names no token endpoint"),
    (JSON, r#"{"issuer":"ISSUER","token_endpoint":"http://canary.example/token"}"#, 78, "malformed", "no secret may be sent to"),
    (JSON, r#"{"issuer":"ISSUER","token_endpoint":"http://localhost:1/token"}"#, 78, "malformed", "no secret may be sent to"),
    (JSON, r#"{"issuer":"ISSUER","issuer":"ISSUER","token_endpoint":"ISSUER/token"}"#, 78, "malformed", "malformed JSON"),
    (JSON, r#"{"issuer":"ISSUER","token_endpoint":"ISSUER/token""#, 78, "malformed", "malformed JSON"),
    ("302 Found\r\nLocation: ISSUER/canary", "", 78, "redirect", "redirect (302)"),
    ("307 Temporary\r\nLocation: https://canary.example/", "", 78, "redirect", "redirect (307)"),
    ("200 OK\r\nContent-Type: text/html", "<p>canary</p>", 78, "malformed", "something other than JSON"),
    ("404 Not Found", "canary", 78, "no_endpoint", "no discovery document"),
    ("503 Unavailable", "canary", 75, "server_error", "(503)"),
];

/// Runs `jetond add` for a client of this name with the environment's secret.
fn add(env: &TestEnv, name: &str, issuer: &Issuer) -> Output {
    add_with(env, name, issuer, env.secret())
}

fn add_with(env: &TestEnv, name: &str, issuer: &Issuer, secret: &str) -> Output {
    let mut command = env.jetond_command(&["add", name, "--provider", "oauth2"]);
    command
        .args(["--issuer", &issuer.url, "--client-auth", "post"])
        .args(["--client-id", name, "--client-secret-stdin"]);
    env.finish("jetond", command, format!("{secret}\n").as_bytes(), false)
}

fn status(env: &TestEnv, daemon: &Daemon, profile: &str) -> Value {
    env.get(daemon, &format!("/v1/profiles/{profile}")).json()
}

/// Returns the first token of a profile.
fn first_token(env: &TestEnv, daemon: &Daemon, profile: &str) -> String {
    let target = format!("/v1/profiles/{profile}/token?max_wait=30");
    let answer = env.get(daemon, &target);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn refresh(env: &TestEnv, daemon: &Daemon, profile: &str) -> u16 {
    let target = format!("/v1/profiles/{profile}/refresh");
    env.request(&daemon.socket, "POST", &target, &[], b"")
        .status
}

#[test]
fn a_pasted_address_leads_to_the_issuer_that_the_document_names() {
    let mut env = TestEnv::new();
    let issuer = Issuer::start();
    let with_slash = GOOD.replace("ISSUER\",", "ISSUER/\",");
    for (n, (document, pasted)) in [
        (GOOD, "/.well-known/oauth-authorization-server"),
        (GOOD, "/.well-known/openid-configuration"),
        (GOOD, "/"),
        (GOOD, "/login?next=1#top"),
        (&with_slash, ""),
        (&with_slash, "/.well-known/oauth-authorization-server"),
    ]
    .into_iter()
    .enumerate()
    {
        issuer.says(JSON, document);
        let mut terminal = Terminal::start(&env, &["add"], &[]);
        terminal.wait_for("[runai]: ");
        terminal.type_in("2\n");
        terminal.wait_for("the token endpoint's): ");
        terminal.type_in(&format!("{}{pasted}\n", issuer.url));
        terminal.wait_for("Client ID: ");
        terminal.type_in(&format!("one\n{}\n", env.secret()));
        terminal.wait_for("Name of the profile");
        terminal.type_in(&format!("p{n}\n"));
        let (status, shown) = terminal.end(&env);
        assert_eq!(status.code(), Some(0), "{pasted}: {shown}");
        let says = format!("the issuer's token endpoint is {}/token: ", issuer.url);
        assert!(shown.contains(&says), "{pasted}: {shown}");
        let config = std::fs::read_to_string(env.config()).unwrap();
        let slash = if document == GOOD { "" } else { "/" };
        let line = format!("issuer = \"{}{slash}\"", issuer.url);
        assert_eq!(config.matches(&line).count(), 1 + n % 4, "{config}");
    }
    watch(&mut env, &issuer);
}

/// Makes the test fail if a token of this issuer appears anywhere but in the answer to a request for it.
fn watch(env: &mut TestEnv, issuer: &Issuer) {
    for token in &issuer.inner().tokens {
        env.forbid_token(token);
    }
}

#[test]
fn an_invalid_document_enrols_nothing() {
    let mut env = TestEnv::new();
    let issuer = Issuer::start();
    for (head, body, code, _, why) in BAD {
        issuer.says(head, body);
        let added = add(&env, "reports", &issuer);
        assert_eq!(
            (added.code, added.stdout.as_str()),
            (*code, ""),
            "{body}: {added:?}"
        );
        assert!(added.stderr.contains("nothing is written"), "{added:?}");
        let why = why.replace("ISSUER", &issuer.url);
        assert!(added.stderr.contains(&why), "{body}: {added:?}");
        assert!(!added.stderr.contains("canary"), "{body}: {added:?}");
        assert!(
            !env.config().exists() && !env.record("reports").exists(),
            "{body}"
        );
    }
    assert_eq!(issuer.count("POST"), 0, "a secret was sent");
    let strange = |line: &String| !line.starts_with("GET /.well-known/");
    assert_eq!(issuer.inner().asked.iter().find(|line| strange(line)), None);
    issuer.is_well();
    assert_eq!(add(&env, "reports", &issuer).code, 0);
    watch(&mut env, &issuer);
}

#[test]
fn one_valid_discovery_location_out_of_two_is_enough_to_enrol() {
    let mut env = TestEnv::new();
    let issuer = Issuer::start();
    issuer.is_an_openid_provider();
    let others = [
        (HANG, ""),
        // The body breaks off.
        (
            "200 OK\r\nContent-Type: application/json\r\nContent-Length: 99",
            "{",
        ),
    ];
    let bad = BAD.iter().map(|(head, body, ..)| (*head, *body));
    for (n, (head, body)) in others.into_iter().chain(bad).enumerate() {
        issuer.says(head, body);
        let before = issuer.count("GET");
        let added = add(&env, &format!("p{n}"), &issuer);
        assert_eq!(added.code, 0, "{head} {body}: {added:?}");
        // Two requests to find the document, and one more to verify the credential. The second time, the location that
        // worked is asked first.
        assert_eq!(issuer.count("GET"), before + 3, "{head} {body}");
    }
    // After an answer that asks to slow down, no other location is tried.
    issuer.says("429 Too Many Requests\r\nConnection: close", "");
    let before = issuer.count("GET");
    let added = add(&env, "later", &issuer);
    assert_eq!(added.code, 75, "{added:?}");
    assert_eq!(issuer.count("GET"), before + 1);
    watch(&mut env, &issuer);
}

#[test]
fn doctor_finds_the_document_although_one_address_hangs() {
    let mut env = TestEnv::new();
    let issuer = Issuer::start();
    assert_eq!(add(&env, "reports", &issuer).code, 0);
    issuer.is_an_openid_provider();
    let other = issuer.inner().openid.replace("/token", "/moved");
    issuer.inner().openid = other;
    issuer.says(HANG, "");
    let doctor = env.jetond(&["doctor"]);
    assert!(doctor.stdout.contains("/moved"), "{doctor:?}");
    watch(&mut env, &issuer);
}

/// The document read at enrolment is not kept after the process ends.
#[test]
fn a_daemon_started_with_an_invalid_document_recovers() {
    let mut env = TestEnv::new();
    let issuers: Vec<Issuer> = BAD.iter().map(|_| Issuer::start()).collect();
    for (n, issuer) in issuers.iter().enumerate() {
        let added = add(&env, &format!("p{n}"), issuer);
        assert_eq!(added.code, 0, "{added:?}");
    }
    for (issuer, (head, body, ..)) in issuers.iter().zip(BAD) {
        issuer.says(head, body);
    }
    let mut daemon = env.start();
    for (n, (issuer, (_, body, _, kind, why))) in issuers.iter().zip(BAD).enumerate() {
        let mut state = Value::Null;
        wait_until("a fault", || {
            state = status(&env, &daemon, &format!("p{n}"));
            state["last_fault"].is_object()
        });
        assert_eq!(state["last_fault"]["kind"], *kind, "{body}: {state}");
        let detail = state["last_fault"]["detail"].as_str().unwrap();
        let why = why.replace("ISSUER", &issuer.url);
        assert!(
            detail.contains(&why) && !detail.contains("canary"),
            "{detail}"
        );
        // The request of the enrolment.
        assert_eq!(issuer.count("POST"), 1, "{body}");
        issuer.is_well();
    }
    for (n, (issuer, (_, body, _, kind, _))) in issuers.iter().zip(BAD).enumerate() {
        // After a rejection, the next token may wait for the circuit breaker's probe, a minute later.
        if *kind != "rejected" {
            let token = first_token(&env, &daemon, &format!("p{n}"));
            assert_eq!(issuer.inner().tokens.last(), Some(&token), "{body}");
        }
    }
    for issuer in &issuers {
        watch(&mut env, issuer);
    }
    env.stop(&mut daemon);
}

#[test]
fn a_broken_profile_does_not_affect_another_at_the_same_issuer() {
    let mut env = TestEnv::new();
    let issuer = Issuer::start();
    let another = "canary-of-the-broken-profile";
    env.forbid_secret("the broken profile's secret", another);
    assert_eq!(add(&env, "sound", &issuer).code, 0);
    assert_eq!(add_with(&env, "broken", &issuer, another).code, 0);
    let mut daemon = env.start();
    let [sound, broken] = ["sound", "broken"].map(|name| first_token(&env, &daemon, name));
    issuer.inner().rejected = Some("broken".to_owned());
    assert_ne!(refresh(&env, &daemon, "broken"), 200);
    assert_eq!(refresh(&env, &daemon, "sound"), 200);
    let next = env.token(&daemon, "sound");
    assert_ne!(next, sound);
    let state = status(&env, &daemon, "broken");
    assert_eq!(state["last_fault"]["kind"], "rejected", "{state}");
    assert_eq!(
        env.token(&daemon, "broken"),
        broken,
        "the held token is still valid"
    );
    let state = status(&env, &daemon, "sound");
    assert_eq!(state["phase"], "fresh", "{state}");
    assert_eq!(
        (&state["last_fault"], &state["counts"]["failures"]),
        (&Value::Null, &0.into()),
        "{state}"
    );

    // A corrupt record, as after a restore from the wrong backup. The daemon starts and serves the other profile.
    env.stop(&mut daemon);
    fs::write(env.record("broken"), "{}").unwrap();
    let mut daemon = env.start();
    first_token(&env, &daemon, "sound");
    let asked = env.jeton(&["token", "broken", "--max-wait", "1"]);
    assert_eq!((asked.code, asked.stdout.as_str()), (78, ""), "{asked:?}");
    env.stop(&mut daemon);
    watch(&mut env, &issuer);
}

/// The configuration does not name the endpoint. So the endpoint that the issuer names at the first use is the one to
/// which the secret is bound.
#[test]
fn a_source_is_bound_to_the_issuers_endpoint_at_first_use() {
    let mut env = TestEnv::new();
    let (issuer, other) = (Issuer::start(), Issuer::start());
    let secret = env.secret_file();
    let profile = format!(
        "[profiles.reports]\nprovider = \"oauth2\"\nissuer = \"{}\"\nclient-auth = \"post\"\nclient-id = \"reports\"\nclient-secret = {{ file = \"{}\" }}\n",
        issuer.url,
        secret.display()
    );
    write_config(&env, profile);
    let binding = env.path("state/jeton/bindings/reports.json");
    let token = "/v1/profiles/reports/token?min_valid=1&max_wait=5";

    // While the issuer names no endpoint, nothing is recorded and nothing is sent.
    issuer.says("503 Unavailable\r\nConnection: close", "");
    let mut daemon = env.start();
    wait_until("a fault", || {
        status(&env, &daemon, "reports")["last_fault"].is_object()
    });
    assert!(!binding.exists() && issuer.count("POST") == 0);
    issuer.is_well();
    let first = first_token(&env, &daemon, "reports");
    assert_eq!(issuer.inner().tokens.last(), Some(&first));
    let recorded = fs::read_to_string(&binding).unwrap();
    let endpoint = format!("\"{}/token\"", issuer.url);
    assert!(recorded.contains(&endpoint), "{recorded}");
    assert_eq!(env.jetond(&["check"]).code, 0);
    env.stop(&mut daemon);

    // A different endpoint is a new use of the secret, even if the issuer itself names it.
    let moved = GOOD.replace("ISSUER/token", &format!("{}/token", other.url));
    issuer.says(JSON, &moved);
    let sent = issuer.count("POST");
    let mut daemon = env.start();
    assert_eq!(env.get(&daemon, token).code(), "binding_changed");
    assert_eq!((issuer.count("POST"), other.count("POST")), (sent, 0));
    let refused = env.jetond(&["add", "reports", "--rebind"]);
    assert_eq!(refused.code, 64, "{refused:?}");
    assert_eq!(fs::read_to_string(&binding).unwrap(), recorded);
    let mut terminal = Terminal::start(&env, &["add", "reports", "--rebind"], &[]);
    terminal.wait_for("Send the credential there?");
    terminal.type_in("y\n");
    let (exit, shown) = terminal.end(&env);
    assert_eq!(exit.code(), Some(0), "{shown}");
    assert!(shown.contains(&format!("{}/token", other.url)), "{shown}");
    let next = first_token(&env, &daemon, "reports");
    assert_eq!(other.inner().tokens.last(), Some(&next));
    assert_eq!(issuer.count("POST"), sent);
    env.stop(&mut daemon);
    watch(&mut env, &issuer);
    watch(&mut env, &other);
}
