//! Secrets in the daemon's memory, as an attacker would read it: each secret in use is there once, and none that is no
//! longer in use.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use jetond::age_file::Passphrase;
use jetond::credential::ClientSecret;
use jetond::sandbox::{Fault, Line, Sandbox};

use crate::process_memory::{FoundCanary, Snapshot};
use crate::support::daemon::{Daemon, PATIENCE, wait_until};
use crate::support::env::Output;
use crate::support::leaks::Canary;
use crate::support::{TestEnv, http, ignored};

const PASSPHRASE: &str = "a passphrase of the test";

/// The number of profiles that each have an issuer and a secret of their own.
const ALONE: usize = 9;

/// Profiles of one issuer that share a client and its secret. Connections to the issuer are kept for a while.
const SHARED: [&str; 3] = ["shared-1", "shared-2", "shared-3"];

/// The profile with an encrypted credential. It has an issuer of its own.
const ENCRYPTED: &str = "alone-0";

/// The profile whose credential changes while the daemon runs, and whose token is written to a file.
const CHANGED: &str = "alone-1";

/// The minimum number of refreshes. `JETON_REFRESHES` sets another number.
const REFRESHES: u64 = 500;

/// A daemon with its profiles.
struct MemoryEnv {
    env: TestEnv,
    daemon: Daemon,
    profiles: Vec<String>,
    /// The client secrets, each with the number of profiles that use it. The first one is encrypted.
    secrets: Vec<(String, usize)>,
    /// Secrets that are no longer in use.
    former: Vec<String>,
}

/// Makes an issuer grant tokens with this lifetime to every client.
fn grants(env: &TestEnv, sandbox: usize, seconds: u64) {
    let body =
        format!(r#"{{"access_token":"$TOKEN","token_type":"Bearer","expires_in":{seconds}}}"#);
    let fault = Fault::Answer { status: 200, body };
    let sandbox = &env.sandboxes()[sandbox];
    env.block_on(sandbox.set_fault(Some(fault))).unwrap();
}

fn fresh_secret() -> String {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).unwrap();
    let hex: String = random.iter().map(|b| format!("{b:02x}")).collect();
    format!("canary\"\\&=+%~{hex}")
}

/// Returns the end of a token. It would remain if only the beginning were overwritten, and without it the token is
/// useless.
fn end_of(token: &str) -> &str {
    &token[token.len() - 43..]
}

fn with_passphrase(env: &TestEnv, args: &[&str]) -> Output {
    // Outside the environment's folder, which is searched for the passphrase.
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), PASSPHRASE).unwrap();
    let given = ["--passphrase-file", file.path().to_str().unwrap()];
    env.jetond(&[args, &given].concat())
}

/// Enrols a client. The sandboxes accept it, because they answer with a fixed text.
fn enrol(env: &TestEnv, profile: &str, secret: &str, how: &[&str]) {
    let path = env.path("secret");
    fs::write(&path, secret).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let client = ["--client-id", "test-client", "--client-secret-file"];
    let client = [&client[..], &[path.to_str().unwrap()]].concat();
    let added = env.jetond(&[&["add", profile], how, &client].concat());
    assert_eq!(added.code, 0, "{added:?}");
    fs::remove_file(path).unwrap();
}

impl MemoryEnv {
    fn new() -> Self {
        let mut env = TestEnv::new();
        env.forbid("the passphrase", PASSPHRASE);
        let made = with_passphrase(&env, &["encrypt-store", "--work-factor", "12"]);
        assert_eq!(made.code, 0, "{made:?}");
        let mut secrets = vec![];
        let mut profiles = vec![];
        for n in 0..=ALONE {
            let secret = fresh_secret();
            env.forbid_secret("a client secret", &secret);
            let given = ClientSecret::parse(&secret).unwrap();
            env.add_sandbox_that(Line::V2_24, 3_600, |options| {
                options.client_secret = given;
                // One of three uses plain HTTP, which is allowed for loopback only.
                options.tls = n % 3 != 0 || n == ALONE;
            });
            grants(&env, n, 1);
            let ca = env.ca_file(n);
            let url = env.sandboxes()[n].url();
            let token_url = format!("{url}/api/v2/token");
            let mut how = match n % 3 {
                2 => vec![
                    "--provider",
                    "oauth2",
                    "--token-url",
                    &token_url,
                    "--client-auth",
                    "basic",
                ],
                _ => vec!["--provider", "runai", "--url", &url],
            };
            how.extend(ca.iter().flat_map(|ca| ["--ca-file", ca]));
            let alone = format!("alone-{n}");
            let names = match n {
                ALONE => SHARED.to_vec(),
                _ => vec![alone.as_str()],
            };
            let store = match alone == ENCRYPTED {
                true => "encrypted-file",
                false => "file",
            };
            how.extend(["--store", store]);
            for name in &names {
                enrol(&env, name, &secret, &how);
                profiles.push((*name).to_owned());
            }
            secrets.push((secret, names.len()));
        }
        let sink = env.path("run/token");
        env.is_sink(&sink);
        let mut config = fs::read_to_string(env.config()).unwrap();
        config.push_str(&format!(
            "[[profiles.{CHANGED}.sinks]]\npath = \"{}\"\nformat = \"json\"\n",
            sink.display()
        ));
        fs::write(env.config(), config).unwrap();
        let daemon = env.start();
        let unlocked = with_passphrase(&env, &["unlock"]);
        assert_eq!(unlocked.code, 0, "{unlocked:?}");
        Self {
            env,
            daemon,
            profiles,
            secrets,
            former: vec![],
        }
    }

    /// Enrols a new credential without notice to the daemon.
    fn change_credential(&mut self) {
        let secret = fresh_secret();
        self.env.forbid_secret("a client secret", &secret);
        enrol(&self.env, CHANGED, &secret, &["--rebind"]);
        let former = std::mem::replace(&mut self.secrets[1].0, secret);
        self.former.push(former);
    }

    /// Returns the identity that decrypts the encrypted credential.
    fn identity(&self) -> String {
        let file = self.env.path("state/jeton/encrypted-file/identity.age");
        let passphrase = Passphrase::parse(PASSPHRASE).unwrap();
        let text = passphrase.open(&fs::read(file).unwrap(), 4_096).unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        let line = text.lines().find(|line| line.starts_with("AGE-SECRET"));
        line.unwrap().to_owned()
    }

    fn granted(&self) -> u64 {
        let sandboxes = self.env.sandboxes().iter();
        sandboxes.map(|sandbox| sandbox.stats().granted).sum()
    }

    /// Gives every profile a token that lasts, and returns these tokens.
    fn settle(&self) -> Vec<String> {
        for sandbox in 0..=ALONE {
            grants(&self.env, sandbox, 3_600);
        }
        let mut tokens = vec![];
        for name in &self.profiles {
            let target = format!("/v1/profiles/{name}/token?min_valid=600");
            wait_until("a token with ten minutes left", || {
                let answer = http::request(&self.daemon.socket, "GET", &target, &[], b"");
                let json: serde_json::Value =
                    serde_json::from_slice(&answer.body).unwrap_or_default();
                let lasts = json["expires_in"].as_u64().is_some_and(|left| left > 600);
                if lasts {
                    tokens.push(json["access_token"].as_str().unwrap().to_owned());
                }
                lasts
            });
        }
        tokens
    }

    /// Returns what is in memory too often or not at all. Each of these tokens must be there once, and each secret once
    /// for each of its profiles.
    fn faults(&self, tokens: &[String], secrets: &[(String, usize)]) -> Vec<String> {
        let snapshot = Snapshot::take(&self.daemon);
        let issued = self.env.sandboxes().iter().flat_map(Sandbox::issued);
        let dead = issued.filter(|token| !tokens.contains(token));
        let live = tokens.iter().map(|token| (end_of(token).to_owned(), 1));
        let live = live.chain(secrets.iter().cloned());
        let dead = dead.map(|token| end_of(&token).to_owned());
        let dead = dead.chain(self.former.iter().cloned()).map(|it| (it, 0));
        let (texts, allowed): (Vec<_>, Vec<_>) = live.chain(dead).unzip();
        let canaries: Vec<_> = texts.iter().map(|it| Canary::new("it", it)).collect();
        let mut places: Vec<Vec<FoundCanary>> = vec![vec![]; canaries.len()];
        for found in snapshot.find(&canaries) {
            places[found.0].push(found);
        }
        let found = places.iter().zip(allowed).enumerate();
        let wrong = found
            .filter(|(_, (places, most))| places.len() > *most || places.is_empty() && *most > 0);
        wrong
            .map(|(n, (places, most))| format!("number {n} of {most}: {places:#?}"))
            .collect()
    }

    /// Waits until memory is as it should be. Connections to issuers are closed after being idle for 5 s.
    fn wait_until_clean(&self, tokens: &[String], secrets: &[(String, usize)]) {
        let start = Instant::now();
        loop {
            let faults = self.faults(tokens, secrets);
            if faults.is_empty() {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{faults:#?}");
        }
    }
}

/// A client that requests tokens over one connection and keeps it open.
struct Client<'a> {
    stream: UnixStream,
    socket: &'a Path,
    accept: &'static str,
}

impl<'a> Client<'a> {
    fn open(socket: &'a Path, accept: &'static str) -> Self {
        Self {
            stream: http::connect(socket),
            socket,
            accept,
        }
    }

    fn ask(&mut self, profile: &str) {
        let request = format!(
            "GET /v1/profiles/{profile}/token HTTP/1.1\r\nHost: localhost\r\nAccept: {}\r\n\r\n",
            self.accept
        );
        loop {
            let sent = self.stream.write_all(request.as_bytes());
            if sent
                .and_then(|()| http::read_response(&mut self.stream))
                .is_ok()
            {
                return;
            }
            // On a busy machine, the daemon may have closed the connection because its client seemed slow.
            self.stream = http::connect(self.socket);
        }
    }
}

/// Starts a watch of this profile.
fn watch(socket: &Path, profile: &str) -> UnixStream {
    let mut watcher = http::connect(socket);
    let request = format!("GET /v1/profiles/{profile}/watch HTTP/1.1\r\nHost: localhost\r\n\r\n");
    watcher.write_all(request.as_bytes()).unwrap();
    watcher.set_nonblocking(true).unwrap();
    watcher
}

/// Returns whether the search finds each form of a text that the daemon certainly holds: the text is in the body of an
/// unfinished request.
fn finds_a_planted_text(daemon: &Daemon) -> bool {
    let text = fresh_secret();
    let canary = Canary::new("it", &text);
    let planted: Vec<&[u8]> = canary.disguises().into_iter().collect();
    let mut stream = http::connect(&daemon.socket);
    let head = "POST /v1/helper HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n";
    let request = [head.as_bytes(), &planted.join(&0)].concat();
    stream.write_all(&request).unwrap();
    // A snapshot stops the daemon, perhaps before it has read the request.
    (0..20).any(|_| {
        let found = Snapshot::take(daemon).find(std::slice::from_ref(&canary));
        found.len() >= planted.len()
    })
}

#[test]
fn memory_holds_each_secret_in_use_once_and_no_former_secret() {
    if !rustix::process::geteuid().is_root() {
        return ignored("the memory of a daemon can be read by root alone");
    }
    let wanted = std::env::var("JETON_REFRESHES").map_or(REFRESHES, |n| n.parse().unwrap());
    let mut place = MemoryEnv::new();
    place.change_credential();
    let socket = place.daemon.socket.clone();
    let mut clients = ["*/*", "text/plain", "*/*"].map(|accept| Client::open(&socket, accept));
    let watched = place.profiles.iter().step_by(3);
    let mut watchers: Vec<_> = watched.map(|name| watch(&socket, name)).collect();
    let before = place.granted();
    let mut names = place.profiles.iter().cycle();
    for done in (0..wanted).step_by(10) {
        wait_until("ten more refreshes", || {
            for client in &mut clients {
                client.ask(names.next().unwrap());
            }
            for watcher in &mut watchers {
                while watcher.read(&mut [0; 4_096]).is_ok_and(|read| read > 0) {}
            }
            place.granted() - before >= done + 10
        });
    }
    let tokens = place.settle();
    for name in &place.profiles {
        clients.iter_mut().for_each(|client| client.ask(name));
    }
    place.wait_until_clean(&tokens, &place.secrets);
    wait_until("the search to find a planted text", || {
        finds_a_planted_text(&place.daemon)
    });

    // After a lock, no decrypted secret is left, and the other profiles continue.
    let locked = place.env.jetond(&["lock"]);
    assert_eq!(locked.code, 0, "{locked:?}");
    place.former.push(place.secrets[0].0.clone());
    place.former.push(place.identity());
    place.wait_until_clean(&tokens[1..], &place.secrets[1..]);
    drop((clients, watchers));
    place.env.stop(&mut place.daemon);
}
