//! Failing proxies: the error names the proxy, no secret was sent, and the daemon keeps serving the tokens it holds.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use jetond::sandbox::Line;
use serde_json::Value;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

/// A proxy's reaction to a request for a tunnel.
#[derive(Debug, Clone, Copy)]
enum ProxyReaction {
    Through,
    Answer(&'static str),
    Hang,
    Close,
}

/// The failures to make a tunnel, each with the kind of fault and a part of its message.
const TROUBLE: [(ProxyReaction, &str, &str); 5] = [
    (
        ProxyReaction::Answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
        "connect",
        "opens no connection",
    ),
    (
        ProxyReaction::Answer(
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"canary\"\r\nContent-Length: 0\r\n\r\n",
        ),
        "connect",
        "demands a user name and a password (407)",
    ),
    (
        ProxyReaction::Answer("SSH-2.0-canary\r\n\r\n"),
        "connect",
        "opens no connection",
    ),
    (ProxyReaction::Close, "connect", "opens no connection"),
    (
        ProxyReaction::Hang,
        "timeout",
        "no connection to https://localhost:",
    ),
];

/// A forward proxy that connects to one fixed address, whatever the request names.
struct Proxy {
    address: SocketAddr,
    way: Arc<Mutex<ProxyReaction>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(way: ProxyReaction, to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            way: Arc::new(Mutex::new(way)),
            heads: Arc::default(),
        };
        let (way, heads) = (Arc::clone(&proxy.way), Arc::clone(&proxy.heads));
        // The thread and its connections end with the process at the latest.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let way = *way.lock().unwrap();
                let heads = Arc::clone(&heads);
                // A peer may close its connection at any time.
                thread::spawn(move || answer(stream?, way, to, &heads));
            }
        });
        proxy
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn set_reaction(&self, way: ProxyReaction) {
        *self.way.lock().unwrap() = way;
    }
}

fn answer(
    mut client: TcpStream,
    way: ProxyReaction,
    to: SocketAddr,
    heads: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut head = vec![];
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    heads.lock().unwrap().push(String::from_utf8(head).unwrap());
    match way {
        ProxyReaction::Through => {
            let mut server = TcpStream::connect(to)?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            let (mut upward, mut receiver) = (client.try_clone()?, server.try_clone()?);
            thread::spawn(move || {
                let _ = io::copy(&mut upward, &mut receiver);
                receiver.shutdown(Shutdown::Write)
            });
            io::copy(&mut server, &mut client)?;
            client.shutdown(Shutdown::Write)
        }
        ProxyReaction::Answer(text) => client.write_all(text.as_bytes()),
        ProxyReaction::Hang => io::copy(&mut client, &mut io::sink()).map(drop),
        ProxyReaction::Close => Ok(()),
    }
}

/// A sandbox with TLS, reached by its host name. The client would bypass the proxy for a loopback IP address.
struct ProxiedSandbox {
    env: TestEnv,
    url: String,
    ca: String,
    at: SocketAddr,
}

impl ProxiedSandbox {
    fn new() -> Self {
        let mut env = TestEnv::new();
        env.add_sandbox_that(Line::V2_24, 600, |options| options.tls = true);
        let url = env.sandbox().url().replace("127.0.0.1", "localhost");
        let port = url.rsplit(':').next().unwrap().parse().unwrap();
        Self {
            ca: env.ca_file(0).unwrap(),
            at: ([127, 0, 0, 1], port).into(),
            env,
            url,
        }
    }

    fn enrol(&self, profile: &str, proxy: &str) -> crate::support::env::Output {
        let more = ["--ca-file", &self.ca, "--proxy", proxy];
        self.env.try_enrol_with(profile, &self.url, &more)
    }

    /// Enrols a profile for each failure while its proxy still works.
    fn enrol_each(&self) -> Vec<(String, Proxy, ProxyReaction, &'static str, &'static str)> {
        let each = TROUBLE.iter().enumerate();
        each.map(|(n, (way, kind, why))| {
            let proxy = Proxy::start(ProxyReaction::Through, self.at);
            let profile = format!("p{n}");
            let mut added = self.enrol(&profile, &proxy.url());
            // On a busy machine, a handshake can take longer than the 3 s that a connection attempt may.
            wait_until("the enrolment to succeed", || {
                if added.code == 75 {
                    added = self.enrol(&profile, &proxy.url());
                }
                added.code != 75
            });
            assert_eq!(added.code, 0, "{added:?}");
            (profile, proxy, *way, *kind, *why)
        })
        .collect()
    }

    /// Asserts that the proxy only got requests for tunnels to the control plane.
    fn look_at(&self, proxy: &Proxy) {
        let wanted = format!(
            "CONNECT {} HTTP/1.1\r\n",
            self.url.trim_start_matches("https://")
        );
        let heads = proxy.heads.lock().unwrap();
        assert!(!heads.is_empty(), "the proxy got no request");
        for head in heads.iter() {
            assert!(head.starts_with(&wanted), "{head}");
            assert!(!head.to_lowercase().contains("authorization"), "{head}");
            self.env
                .add_output("a request to a proxy", head.as_bytes(), false);
        }
    }
}

fn status(env: &TestEnv, daemon: &Daemon, profile: &str) -> Value {
    env.get(daemon, &format!("/v1/profiles/{profile}")).json()
}

#[test]
fn enrolment_fails_if_the_proxy_gives_no_tunnel() {
    let behind = ProxiedSandbox::new();
    let env = &behind.env;
    let proxy = Proxy::start(ProxyReaction::Through, behind.at);
    let url = proxy.url();
    let refused = |url: &str, what: &str, why: &str| {
        let added = behind.enrol("research", url);
        assert_eq!(
            (added.code, added.stdout.as_str()),
            (75, ""),
            "{what}: {added:?}"
        );
        assert!(added.stderr.contains(why), "{what}: {added:?}");
        let named = format!("the proxy {url}");
        assert!(added.stderr.contains(&named), "{what}: {added:?}");
        assert!(!added.stderr.contains("canary"), "{what}: {added:?}");
        assert!(!env.config().exists() && !env.record("research").exists());
    };
    for (way, _, why) in TROUBLE {
        proxy.set_reaction(way);
        refused(&url, &format!("{way:?}"), why);
    }
    // Bound without listening, so that no other test gets the port.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let absent = format!("http://{}", nobody.local_addr().unwrap());
    refused(&absent, "nobody there", "Connection refused");
    let unknown = "http://proxy.invalid:3128";
    refused(unknown, "unknown", "cannot be resolved");
    assert_eq!(env.sandbox().stats().token_requests, 0);
    proxy.set_reaction(ProxyReaction::Through);
    let added = behind.enrol("research", &url);
    assert_eq!(added.code, 0, "{added:?}");
    behind.look_at(&proxy);
}

#[test]
fn a_held_token_is_served_while_the_proxy_fails() {
    let behind = ProxiedSandbox::new();
    let env = &behind.env;
    let profiles = behind.enrol_each();
    let mut daemon = env.start();
    let held: Vec<String> = profiles
        .iter()
        .map(|(profile, ..)| {
            env.get(
                &daemon,
                &format!("/v1/profiles/{profile}/token?max_wait=30"),
            );
            env.token(&daemon, profile)
        })
        .collect();
    for (profile, proxy, way, ..) in &profiles {
        proxy.set_reaction(*way);
        let target = format!("/v1/profiles/{profile}/refresh");
        let refresh = env.request(&daemon.socket, "POST", &target, &[], b"");
        assert!(refresh.status >= 500, "{way:?}: {refresh:?}");
    }
    for ((profile, proxy, way, kind, why), held) in profiles.iter().zip(&held) {
        let mut state = Value::Null;
        wait_until("the fault", || {
            state = status(env, &daemon, profile);
            state["last_fault"].is_object()
        });
        assert_eq!(state["last_fault"]["kind"], *kind, "{way:?}: {state}");
        let detail = state["last_fault"]["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{way:?}: {detail}");
        assert!(
            detail.contains(&format!("the proxy {}", proxy.url())),
            "{detail}"
        );
        assert_eq!(state["phase"], "retrying", "{way:?}: {state}");
        let asked = env.jeton(&["token", profile]);
        assert_eq!(
            (asked.code, asked.stdout.trim_end()),
            (0, held.as_str()),
            "{way:?}"
        );
        proxy.set_reaction(ProxyReaction::Through);
    }
    for ((profile, proxy, way, ..), held) in profiles.iter().zip(&held) {
        wait_until("the next token", || env.token(&daemon, profile) != *held);
        assert_eq!(status(env, &daemon, profile)["phase"], "fresh", "{way:?}");
        behind.look_at(proxy);
    }
    env.stop(&mut daemon);
}

#[test]
fn without_a_token_callers_get_a_retry_time() {
    let behind = ProxiedSandbox::new();
    let env = &behind.env;
    let profiles = behind.enrol_each();
    for (_, proxy, way, ..) in &profiles {
        proxy.set_reaction(*way);
    }
    let before = env.sandbox().stats().token_requests;
    let mut daemon = env.start();
    for (profile, proxy, way, ..) in &profiles {
        let asked = env.jeton(&["token", profile, "--max-wait", "0.5"]);
        assert_eq!(
            (asked.code, asked.stdout.as_str()),
            (75, ""),
            "{way:?}: {asked:?}"
        );
        let mut lines = asked.stderr.lines();
        assert!(lines.next().unwrap().starts_with("jeton: "), "{asked:?}");
        assert_eq!(lines.next(), None, "{asked:?}");
        behind.look_at(proxy);
    }
    // The status names the proxy.
    let (refusing, proxy, ..) = &profiles[0];
    wait_until("the fault", || {
        status(env, &daemon, refusing)["last_fault"].is_object()
    });
    let shown = env.jeton(&["status", refusing]);
    let named = format!("the proxy {} opens no connection", proxy.url());
    assert!(shown.stdout.contains(&named), "{shown:?}");
    daemon.wait_for_log(&named);
    assert_eq!(env.sandbox().stats().token_requests, before);
    env.stop(&mut daemon);
}
