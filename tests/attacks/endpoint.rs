//! A changed endpoint: a writer of the configuration or of a discovery document names another tenant's endpoint at the
//! same origin, and the secret is not sent there.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::daemon::Daemon;
use crate::support::env::Output;

/// An issuer with many tenants: each path below its address has a token endpoint.
struct TenantIssuer {
    url: String,
    seen: Arc<Mutex<TenantState>>,
}

#[derive(Default)]
struct TenantState {
    /// The token endpoint in the discovery document.
    endpoint: String,
    /// The paths that got a POST request.
    posts: Vec<String>,
}

impl TenantIssuer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(TenantState::default()));
        let (issuer, shared) = (url.clone(), Arc::clone(&seen));
        // The thread ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client may close its connection at any time.
                let _ = stream.and_then(|stream| answer(stream, &issuer, &shared));
            }
        });
        Self { url, seen }
    }

    /// Sets the endpoint in the discovery document.
    fn names(&self, endpoint: &str) {
        self.seen.lock().unwrap().endpoint = format!("{}{endpoint}", self.url);
    }

    /// Takes the paths that got a POST request since the last call.
    fn posts(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap().posts)
    }
}

/// Serves one request on a connection.
fn answer(mut stream: TcpStream, issuer: &str, seen: &Mutex<TenantState>) -> io::Result<()> {
    let mut head = vec![];
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.parse().unwrap())
    });
    stream.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut seen = seen.lock().unwrap();
    let body = if method == "POST" {
        seen.posts.push(path.to_owned());
        json!({"access_token": "t0ken-of-a-tenant", "token_type": "Bearer", "expires_in": 600})
    } else {
        json!({"issuer": issuer, "token_endpoint": seen.endpoint})
    };
    let body = body.to_string();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn add(env: &TestEnv, provider: &[&str]) -> Output {
    let secret = env.secret_file();
    let how = [
        "--client-id",
        "test-client",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ];
    env.jetond(&[&["add", "research"], provider, &how].concat())
}

fn configure(env: &TestEnv, text: &str) {
    fs::write(env.config(), format!("[profiles.research]\n{text}\n")).unwrap();
}

/// Asserts that a newly started daemon sends nothing, and that each program reports the fault with both addresses.
fn nothing_is_sent(env: &TestEnv, tenants: &TenantIssuer, says: &[&str]) {
    let mut daemon = env.start();
    let asked = env.jeton(&["token", "research", "--max-wait", "2"]);
    assert_eq!(asked.code, 78, "{asked:?}");
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 78, "{checked:?}");
    let examined = env.jetond(&["doctor"]);
    // The caller may be another user, who learns what to do, but not where the secret would go.
    let remedy = "jetond add research --rebind";
    assert!(asked.stderr.contains(remedy), "{asked:?}");
    for (what, out) in [("check", &checked.stderr), ("doctor", &examined.stdout)] {
        for says in says {
            assert!(out.contains(says), "{what} does not say {says:?}: {out}");
        }
        assert!(
            out.contains("jetond add research --rebind"),
            "{what}: {out}"
        );
    }
    env.stop(&mut daemon);
    for says in says {
        assert!(daemon.log().contains(says), "the log lacks {says:?}");
    }
    assert_eq!(tenants.posts(), Vec::<String>::new());
}

#[test]
fn another_path_of_the_same_origin_gets_nothing() {
    let env = TestEnv::new();
    let tenants = TenantIssuer::start();
    let url = &tenants.url;
    let victim = format!("{url}/u/victim");
    let added = add(&env, &["--provider", "runai", "--url", &victim]);
    assert_eq!(added.code, 0, "{added:?}");
    assert_eq!(tenants.posts(), ["/u/victim/api/v2/token"]);
    // Other spellings of the same address are accepted.
    for same in [
        "/u/victim/",
        "/u/victim/api/v1",
        "/u/victim/api/v2/token/",
        "/u/victim/api",
    ] {
        configure(&env, &format!("provider = 'runai'\nurl = '{url}{same}'"));
        let checked = env.jetond(&["check"]);
        assert_eq!(checked.code, 0, "{same}: {checked:?}");
    }
    for other in [
        "/u/mallory",
        "",
        "/u/victim/x",
        "/u/Victim",
        "/u/victim/../mallory",
    ] {
        configure(&env, &format!("provider = 'runai'\nurl = '{url}{other}'"));
        let checked = env.jetond(&["check"]);
        assert_eq!(checked.code, 78, "{other}: {checked:?}");
    }
    let mallory = format!("{url}/u/mallory");
    configure(&env, &format!("provider = 'runai'\nurl = '{mallory}'"));
    let both = format!("was {victim} at enrolment and is {mallory} now");
    nothing_is_sent(&env, &tenants, &[&both]);
    // A different kind of provider is refused as well, because its request differs.
    configure(
        &env,
        &format!("provider = 'oauth2'\ntoken-url = '{mallory}/collect'\nclient-auth = 'post'"),
    );
    let kinds = "was runai at enrolment and is oauth2 now";
    nothing_is_sent(
        &env,
        &tenants,
        &[&victim, &format!("{mallory}/collect"), kinds],
    );
    configure(
        &env,
        &format!("provider = 'oauth2'\ntoken-url = '{victim}'"),
    );
    nothing_is_sent(&env, &tenants, &[kinds]);
    // The user confirms the change.
    configure(&env, &format!("provider = 'runai'\nurl = '{mallory}'"));
    let rebound = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    assert_eq!(tenants.posts(), ["/u/mallory/api/v2/token"]);
    assert_eq!(env.jetond(&["check"]).code, 0);
}

#[test]
fn another_token_url_of_the_same_origin_gets_nothing() {
    let env = TestEnv::new();
    let tenants = TenantIssuer::start();
    let victim = format!("{}/u/victim/token", tenants.url);
    let added = add(&env, &["--provider", "oauth2", "--token-url", &victim]);
    assert_eq!(added.code, 0, "{added:?}");
    assert_eq!(tenants.posts(), ["/u/victim/token"]);
    let mallory = format!("{}/u/mallory/token", tenants.url);
    configure(
        &env,
        &format!("provider = 'oauth2'\ntoken-url = '{mallory}'"),
    );
    let both = format!("was {victim} at enrolment and is {mallory} now");
    nothing_is_sent(&env, &tenants, &[&both]);
    // Which token is requested does not affect where the secret goes.
    configure(
        &env,
        &format!(
            "provider = 'oauth2'\ntoken-url = '{victim}'\nclient-auth = 'post'\nscope = ['a']\naudience = 'b'\nresource = ['https://c.example']"
        ),
    );
    assert_eq!(env.jetond(&["check"]).code, 0);
}

#[test]
fn a_document_that_names_another_endpoint_of_the_same_origin_gets_nothing() {
    let env = TestEnv::new();
    let tenants = TenantIssuer::start();
    let url = &tenants.url;
    tenants.names("/u/victim/token");
    let added = add(&env, &["--provider", "oauth2", "--issuer", url]);
    assert_eq!(added.code, 0, "{added:?}");
    let shown = format!("the issuer's token endpoint is {url}/u/victim/token: ");
    assert!(added.stdout.contains(&shown), "{added:?}");
    assert_eq!(tenants.posts(), ["/u/victim/token"]);
    tenants.names("/u/mallory/token");
    let mut daemon = env.start();
    let asked = env.jeton(&["token", "research", "--max-wait", "2"]);
    assert_eq!(asked.code, 78, "{asked:?}");
    let (victim, mallory) = (
        format!("{url}/u/victim/token"),
        format!("{url}/u/mallory/token"),
    );
    let examined = env.jetond(&["doctor"]).stdout;
    env.stop(&mut daemon);
    for out in [&examined, &daemon.log()] {
        assert!(out.contains(&victim) && out.contains(&mallory), "{out}");
    }
    // If the address is not in the configuration, where the user could see it, even `add --rebind` does not send the
    // stored secret there.
    let rebound = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(rebound.code, 64, "{rebound:?}");
    assert_eq!(tenants.posts(), Vec::<String>::new());
    tenants.names("/u/victim/token");
    let mut daemon = env.start();
    assert_eq!(env.token(&daemon, "research"), "t0ken-of-a-tenant");
    env.stop(&mut daemon);
}

/// Changes the record to the form that the previous version wrote.
fn as_the_former_version(env: &TestEnv) {
    let path = env.record("research");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    record["version"] = 1.into();
    let fields = record.as_object_mut().unwrap();
    assert!(fields.remove("endpoint").is_some() && fields.remove("provider").is_some());
    fs::write(&path, record.to_string()).unwrap();
}

fn reload(env: &TestEnv, daemon: &Daemon) {
    let reloaded = env.request(&daemon.admin, "POST", "/v1/reload", &[], b"");
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
}

#[test]
fn an_enrolment_by_an_old_version_must_be_confirmed_once() {
    let env = TestEnv::new();
    let tenants = TenantIssuer::start();
    let victim = format!("{}/u/victim", tenants.url);
    let added = add(&env, &["--provider", "runai", "--url", &victim]);
    assert_eq!(added.code, 0, "{added:?}");
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    as_the_former_version(&env);
    // The commands report it before the next daemon starts.
    let says = format!(
        "an earlier version enrolled it for {} and recorded no more of the address, which is {victim} now",
        tenants.url
    );
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 78, "{checked:?}");
    assert!(checked.stderr.contains(&says), "{checked:?}");
    assert!(
        checked.stderr.contains("jetond add research --rebind"),
        "{checked:?}"
    );
    let examined = env.jetond(&["doctor"]);
    assert!(examined.stdout.contains(&says), "{examined:?}");
    let _ = tenants.posts();
    reload(&env, &daemon);
    assert_eq!(env.token(&daemon, "research"), held);
    env.stop(&mut daemon);
    nothing_is_sent(&env, &tenants, &[&says]);
    let mut daemon = env.start();
    let rebound = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    assert_eq!(env.jetond(&["check"]).code, 0);
    assert_eq!(env.token(&daemon, "research"), held);
    env.stop(&mut daemon);
}
