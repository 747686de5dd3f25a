//! Endless requests from callers while an issuer has stated when to try again.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::support::daemon::Daemon;
use crate::support::{TestEnv, http};

/// The wait that these issuers state.
const WAIT: Duration = Duration::from_secs(5);

/// An issuer's behaviour from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Grants a token that lasts two seconds.
    Grants,
    /// Refuses with this status, and states the wait in seconds.
    Refuses(u16),
    /// Refuses, and states the wait as a date.
    RefusesByDate,
    /// Refuses, and states a shorter wait in an earlier field.
    RefusesInTwoFields,
    /// Refuses, and states a shorter wait earlier in the same field.
    RefusesByList,
    /// Refuses for the stated wait, and extends it for each request that comes too early. Then grants a token.
    Prolongs,
}

/// An issuer that records the times of requests.
struct Issuer {
    url: String,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    mode: Mode,
    calls: Vec<Instant>,
    tokens: u32,
    opens: Option<Instant>,
}

impl Issuer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner {
            mode: Mode::Grants,
            calls: vec![],
            tokens: 0,
            opens: None,
        }));
        let shared = Arc::clone(&inner);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(&mut stream.unwrap(), &shared));
            }
        });
        Self { url, inner }
    }

    fn set(&self, mode: Mode) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.mode = mode;
        inner.calls.clear();
    }

    fn calls(&self) -> Vec<Instant> {
        self.inner.lock().unwrap().calls.clone()
    }
}

/// Reads one request and answers it.
fn serve(stream: &mut TcpStream, inner: &Mutex<Inner>) {
    let mut request = vec![];
    let mut buffer = [0; 4_096];
    loop {
        let Ok(read @ 1..) = stream.read(&mut buffer) else {
            return;
        };
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.split("content-length: ").nth(1).map_or(0, |rest| {
            rest.split("\r\n").next().unwrap().parse().unwrap()
        });
        if body.len() >= length {
            break;
        }
    }
    let _ = stream.write_all(inner.lock().unwrap().answer().as_bytes());
}

impl Inner {
    fn answer(&mut self) -> String {
        let now = Instant::now();
        self.calls.push(now);
        let refuse = |status: u16, wait: &str| {
            format!(
                "HTTP/1.1 {status} X\r\nDate: {}\r\nRetry-After: {wait}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                date(Duration::ZERO)
            )
        };
        let seconds = WAIT.as_secs().to_string();
        match self.mode {
            Mode::Refuses(status) => return refuse(status, &seconds),
            Mode::RefusesByDate => return refuse(429, &date(WAIT)),
            Mode::RefusesInTwoFields => {
                return refuse(429, &format!("1\r\nRetry-After: {seconds}"));
            }
            Mode::RefusesByList => return refuse(429, &format!("1, {seconds}")),
            Mode::Prolongs if self.opens.is_none_or(|opens| now < opens) => {
                self.opens = Some(now + WAIT);
                return refuse(429, &seconds);
            }
            Mode::Prolongs | Mode::Grants => {}
        }
        self.tokens += 1;
        let body = format!(
            "{{\"access_token\":\"scripted-{}\",\"token_type\":\"Bearer\",\"expires_in\":2}}",
            self.tokens
        );
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Returns the HTTP date this far in the future.
fn date(ahead: Duration) -> String {
    httpdate::fmt_http_date(SystemTime::now() + ahead)
}

fn enrol(env: &TestEnv, profile: &str, issuer: &Issuer) {
    let secret = env.secret_file();
    let added = env.jetond(&[
        "add",
        profile,
        "--provider",
        "oauth2",
        "--token-url",
        &issuer.url,
        "--client-id",
        "test-client",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ]);
    assert_eq!(added.code, 0, "{added:?}");
}

/// Makes every request that may cause an attempt, and checks the answers.
fn hammer(daemon: &Daemon, profile: &str) {
    let path = format!("/v1/profiles/{profile}");
    let begun = Instant::now();
    let token = http::request(
        &daemon.socket,
        "GET",
        &format!("{path}/token?max_wait=0"),
        &[],
        b"",
    );
    assert!(begun.elapsed() < WAIT, "the request waited for the issuer");
    if token.status != 200 {
        // An attempt may be running at this moment.
        let code = token.code();
        let expected = ["unavailable", "deadline", "rejected_by_provider"];
        assert!(expected.contains(&&*code), "{token:?}");
        assert!([502, 504].contains(&token.status) || token.header("retry-after").is_some());
    }
    http::request(&daemon.socket, "POST", &format!("{path}/refresh"), &[], b"");
    let target = format!("{path}/token/reject?max_wait=0");
    let newest = br#"{"generation":1}"#;
    http::request(&daemon.socket, "POST", &target, &[], newest);
    http::request(&daemon.admin, "POST", "/v1/reload", &[], b"");
}

/// Returns the gaps between successive requests that are shorter than the stated wait.
fn early_gaps(calls: &[Instant]) -> Vec<Duration> {
    let gaps = calls.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.filter(|gap| *gap < WAIT).collect()
}

#[test]
fn callers_do_not_shorten_the_wait_that_an_issuer_stated() {
    let env = TestEnv::new();
    let modes = [
        ("seconds", Mode::Refuses(429)),
        ("unavailable", Mode::Refuses(503)),
        ("date", Mode::RefusesByDate),
        ("fields", Mode::RefusesInTwoFields),
        ("list", Mode::RefusesByList),
        ("rejected", Mode::Refuses(401)),
        ("forbidden", Mode::Refuses(403)),
        ("absent", Mode::Refuses(404)),
        ("moved", Mode::Refuses(302)),
        ("large", Mode::Refuses(413)),
        ("accepted", Mode::Refuses(202)),
        ("empty", Mode::Refuses(200)),
    ];
    let issuers = modes.map(|_| Issuer::start());
    for ((profile, _), issuer) in modes.iter().zip(&issuers) {
        enrol(&env, profile, issuer);
    }
    // On a busy machine, one round of requests takes longer than two token lifetimes. After that long a profile goes
    // idle, and no attempt is planned.
    let config = fs::read_to_string(env.config()).unwrap();
    let warm = config.replace("\nprovider =", "\nkeep-warm = true\nprovider =");
    assert_eq!(warm.matches("keep-warm").count(), modes.len());
    fs::write(env.config(), warm).unwrap();
    let mut daemon = env.start();
    for ((profile, mode), issuer) in modes.iter().zip(&issuers) {
        let target = format!("/v1/profiles/{profile}/token?max_wait=30");
        assert_eq!(env.get(&daemon, &target).status, 200);
        issuer.set(*mode);
    }
    let begun = Instant::now();
    while begun.elapsed() < 3 * WAIT {
        for (profile, _) in &modes {
            hammer(&daemon, profile);
        }
        // Sets the pace of the requests. There is no event to wait for.
        thread::sleep(Duration::from_millis(50));
    }
    for ((profile, _), issuer) in modes.iter().zip(&issuers) {
        let calls = issuer.calls();
        assert!((2..=5).contains(&calls.len()), "{profile}: {}", calls.len());
        // The one last attempt before the token's expiry.
        let undercuts = early_gaps(&calls);
        assert!(undercuts.len() <= 1, "{profile}: {undercuts:?}");
    }
    env.stop(&mut daemon);
}

#[test]
fn an_issuer_that_extends_its_wait_finally_gives_a_token() {
    let env = TestEnv::new();
    let issuer = Issuer::start();
    enrol(&env, "research", &issuer);
    let mut daemon = env.start();
    let target = "/v1/profiles/research/token?max_wait=30";
    assert_eq!(env.get(&daemon, target).status, 200);
    issuer.set(Mode::Prolongs);
    // The held token must expire by the real clock, and a request for it would already cause attempts.
    thread::sleep(Duration::from_secs(3));
    let begun = Instant::now();
    while env
        .get(&daemon, "/v1/profiles/research/token?max_wait=0")
        .status
        != 200
    {
        assert!(begun.elapsed() < 6 * WAIT, "{:?}", issuer.calls());
        hammer(&daemon, "research");
        // Sets the pace of the requests. There is no event to wait for.
        thread::sleep(Duration::from_millis(50));
    }
    env.stop(&mut daemon);
}
