//! A CA file that another user replaces, or could replace: the secret is sent only to servers whose certificate the CAs
//! from the enrolment have signed.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use jetond::sandbox::{Line, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::daemon::{Daemon, wait_until};
use crate::support::env::Output;
use crate::support::users::is_root_or_skip;
use crate::support::{TestEnv, ignored};

/// How many times the daemon is started while the link changes. Before the fix, a third of the starts leaked the
/// secret.
const STARTS: usize = 12;

/// Two issuers with the same application, each with a certificate from its own CA, behind one address.
struct TwoIssuers {
    env: TestEnv,
    route: SwitchableRoute,
    /// A folder such as `/tmp`, in which users other than root can create files.
    folder: TempDir,
}

/// An address that forwards to one of two issuers.
struct SwitchableRoute {
    url: String,
    to: Arc<Mutex<RouteTargets>>,
}

/// The issuer that gets the next connection, and the one that gets all after it.
struct RouteTargets {
    next: Option<SocketAddr>,
    then: SocketAddr,
}

impl SwitchableRoute {
    fn new(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let to = Arc::new(Mutex::new(RouteTargets {
            next: None,
            then: to,
        }));
        let target = Arc::clone(&to);
        // The thread ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut to = target.lock().unwrap();
                let to = to.next.take().unwrap_or(to.then);
                // A connection may break; the client and the issuer handle that.
                let _ = stream.and_then(|stream| forward(stream, to));
            }
        });
        Self { url, to }
    }
}

fn forward(client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })
    };
    copy(client.try_clone()?, server.try_clone()?);
    copy(server, client);
    Ok(())
}

impl TwoIssuers {
    fn new() -> Self {
        let mut env = TestEnv::new();
        for _ in 0..2 {
            env.add_sandbox_that(Line::V2_24, 600, |options| options.tls = true);
        }
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        let route = SwitchableRoute::new(address(&env.sandboxes()[0]));
        let scene = Self { env, route, folder };
        for sandbox in 0..2 {
            fs::write(
                scene.pem(sandbox),
                scene.env.sandboxes()[sandbox].ca().unwrap(),
            )
            .unwrap();
        }
        scene
    }

    /// Returns the file with this issuer's CA.
    fn pem(&self, sandbox: usize) -> PathBuf {
        self.folder.path().join(format!("{sandbox}.pem"))
    }

    fn text(&self, sandbox: usize) -> String {
        fs::read_to_string(self.pem(sandbox)).unwrap()
    }

    /// Writes this issuer's CA to the file that the profile trusts.
    fn ca_file(&self, sandbox: usize) -> String {
        let path = self.folder.path().join("ca.pem");
        fs::write(&path, self.text(sandbox)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Forwards all connections to this issuer.
    fn listens(&self, sandbox: usize) {
        self.route.to.lock().unwrap().then = address(&self.env.sandboxes()[sandbox]);
    }

    /// Forwards the next connection to this issuer, and later ones to the other.
    fn gets_the_next(&self, sandbox: usize) {
        self.route.to.lock().unwrap().next = Some(address(&self.env.sandboxes()[sandbox]));
    }

    fn enrol(&self, ca_file: &str) {
        let trust = ["--ca-file", ca_file];
        let added = self.env.try_enrol_with("research", &self.route.url, &trust);
        assert_eq!(added.code, 0, "{added:?}");
    }

    /// Returns how many requests with the secret reached this issuer.
    fn secrets_at(&self, sandbox: usize) -> u64 {
        self.env.sandboxes()[sandbox].stats().token_requests
    }

    fn profile(&self, daemon: &Daemon) -> Value {
        self.env.get(daemon, "/v1/profiles/research").json()
    }

    /// Requests a refresh. Its result does not matter.
    fn refresh(&self, daemon: &Daemon) {
        let target = "/v1/profiles/research/refresh";
        let answer = self.env.request(&daemon.socket, "POST", target, &[], b"");
        assert_ne!(answer.status, 429, "{}", answer.text());
    }

    fn wait_for_fault(&self, daemon: &Daemon, kind: &str) {
        wait_until(kind, || self.profile(daemon)["last_fault"]["kind"] == kind);
    }
}

fn address(sandbox: &Sandbox) -> SocketAddr {
    let url = sandbox.url();
    url.strip_prefix("https://").unwrap().parse().unwrap()
}

/// Replaces a file atomically.
fn exchange(path: &Path, text: &str) {
    let aside = path.with_extension("new");
    fs::write(&aside, text).unwrap();
    fs::rename(&aside, path).unwrap();
}

#[test]
fn a_ca_file_link_that_changes_during_the_start_leaks_no_secret() {
    let scene = TwoIssuers::new();
    let link = scene.folder.path().join("link.pem");
    symlink(scene.pem(0), &link).unwrap();
    scene.enrol(link.to_str().unwrap());
    scene.listens(1);
    let stop = Arc::new(AtomicBool::new(false));
    let flips = {
        let (stop, link) = (Arc::clone(&stop), link);
        let targets = [scene.pem(0), scene.pem(1)];
        let aside = link.with_extension("new");
        thread::spawn(move || {
            let mut flips = 0;
            while !stop.load(Ordering::Relaxed) {
                symlink(&targets[flips % 2], &aside).unwrap();
                fs::rename(&aside, &link).unwrap();
                flips += 1;
            }
            flips
        })
    };
    let mut changed = 0;
    for _ in 0..STARTS {
        let mut daemon = scene.env.start();
        wait_until("the first attempt to fail", || {
            let profile = scene.profile(&daemon);
            profile["phase"] != "starting" || !profile["last_fault"].is_null()
        });
        let asked = scene
            .env
            .get(&daemon, "/v1/profiles/research/token?max_wait=1");
        changed += usize::from(asked.code() == "binding_changed");
        scene.env.stop(&mut daemon);
        assert_eq!(scene.secrets_at(1), 0);
    }
    stop.store(true, Ordering::Relaxed);
    assert!(flips.join().unwrap() > STARTS);
    assert!(changed > 0, "the daemon never read the other file");
}

#[cfg(target_os = "linux")]
#[test]
fn replacing_the_ca_file_during_add_changes_nothing() {
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    let scene = TwoIssuers::new();
    let ca_file = scene.ca_file(0);
    scene.listens(1);
    let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&events, &ca_file, WatchFlags::CLOSE_NOWRITE).unwrap();
    let mut command = scene
        .env
        .jetond_command(&["add", "research", "--provider", "runai"]);
    command
        .args(["--url", &scene.route.url, "--ca-file", &ca_file])
        .args(["--client-id", "test-client", "--client-secret-stdin"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the CA file to be read", || {
        rustix::io::read(&events, &mut [0_u8; 4096]).is_ok()
    });
    exchange(Path::new(&ca_file), &scene.text(1));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(scene.env.secret().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{stderr}");
    assert!(stderr.contains("is not trusted"), "{stderr}");
    assert_eq!(scene.secrets_at(1), 0);
    assert!(!scene.env.record("research").exists() && !scene.env.config().exists());
}

#[test]
fn replacing_the_ca_file_of_a_running_daemon_leaks_nothing() {
    let scene = TwoIssuers::new();
    let ca_file = scene.ca_file(0);
    scene.enrol(&ca_file);
    let mut daemon = scene.env.start();
    let token = scene.env.token(&daemon, "research");
    // The impostor has the address, and a CA file that matches its certificate.
    scene.listens(1);
    exchange(Path::new(&ca_file), &scene.text(1));
    scene.refresh(&daemon);
    daemon.wait_for_log("holds other certificates than at enrolment");
    assert_eq!(scene.secrets_at(1), 0);
    assert_eq!(
        scene.env.token(&daemon, "research"),
        token,
        "the held token is still served"
    );
    let checked = scene.env.jetond(&["check"]);
    assert_eq!(checked.code, 78, "{checked:?}");
    assert!(checked.stderr.contains("--rebind"), "{checked:?}");
    // A file with both CAs is a different set. The former CA alone is the same set, whatever comments are in the file.
    let (old, new) = (scene.text(0), scene.text(1));
    exchange(Path::new(&ca_file), &format!("{old}{new}"));
    assert_eq!(scene.env.jetond(&["check"]).code, 78);
    exchange(Path::new(&ca_file), &format!("# a comment\n\n{old}{old}"));
    assert_eq!(scene.env.jetond(&["check"]).code, 0);
    scene.listens(0);
    let before = scene.secrets_at(0);
    let reloaded = scene.env.jeton(&["reload"]);
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    wait_until("a refresh at the former issuer", || {
        scene.secrets_at(0) > before
    });
    assert_eq!(scene.secrets_at(1), 0);
    scene.env.stop(&mut daemon);
}

#[test]
fn after_a_rebind_the_old_ca_gets_no_secret() {
    let scene = TwoIssuers::new();
    let ca_file = scene.ca_file(0);
    scene.enrol(&ca_file);
    let mut daemon = scene.env.start();
    scene.env.token(&daemon, "research");
    let before = scene.secrets_at(0);
    exchange(Path::new(&ca_file), &scene.text(1));
    // The token request that proves the rebind reaches the new issuer. Then the holder of the old CA's key takes over
    // the address. The daemon's client still trusts the old CA.
    scene.gets_the_next(1);
    let secret = scene.env.secret_file();
    let rebound = scene.env.jetond(&[
        "add",
        "research",
        "--rebind",
        "--client-id",
        "test-client",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ]);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    scene.wait_for_fault(&daemon, "tls_untrusted");
    assert_eq!(scene.secrets_at(0), before);
    let proofs = scene.secrets_at(1);
    scene.listens(1);
    wait_until("a refresh at the new issuer", || {
        scene.secrets_at(1) > proofs
    });
    assert_eq!(scene.secrets_at(0), before);
    scene.env.stop(&mut daemon);
}

#[test]
fn a_root_owned_ca_file_is_reloaded_and_logged() {
    if !is_root_or_skip("a_root_owned_ca_file_is_reloaded_and_logged") {
        return;
    }
    let scene = TwoIssuers::new();
    let Ok(folder) = TempDir::new_in("/run") else {
        ignored("a_file_that_only_root_can_change…: nothing can be made in /run");
        return;
    };
    let ca_file = folder.path().join("ca.pem");
    fs::write(&ca_file, scene.text(0)).unwrap();
    scene.enrol(ca_file.to_str().unwrap());
    let mut daemon = scene.env.start();
    scene.env.token(&daemon, "research");
    exchange(&ca_file, &scene.text(1));
    scene.listens(1);
    let before = scene.secrets_at(1);
    assert_eq!(scene.env.jetond(&["check"]).code, 0);
    let reloaded = scene.env.jeton(&["reload"]);
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    // A valid token is held, so the new set is used only for the next one.
    let body = json!({"generation": scene.profile(&daemon)["generation"]}).to_string();
    let target = "/v1/profiles/research/token/reject?max_wait=30";
    let next = scene
        .env
        .request(&daemon.socket, "POST", target, &[], body.as_bytes());
    assert_eq!(next.status, 200, "{}", next.text());
    wait_until("a refresh at the new issuer", || {
        scene.secrets_at(1) > before
    });
    wait_until("the token of the new issuer", || {
        scene.profile(&daemon)["counts"]["refreshes"] == 2
    });
    let taken_up = "only root can have changed them";
    let log = daemon.log_up_to_now();
    assert_eq!(log.matches(taken_up).count(), 1, "{log}");
    // The same without a reload, once the issuer has a certificate of the new CA.
    exchange(&ca_file, &scene.text(0));
    scene.listens(0);
    let before = scene.secrets_at(0);
    scene.refresh(&daemon);
    wait_until("a refresh at the former issuer", || {
        scene.secrets_at(0) > before
    });
    exchange(&ca_file, &scene.text(1));
    scene.env.stop(&mut daemon);
    // A parent folder that other users can write to: they could have replaced the file.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(scene.env.jetond(&["check"]).code, 78);
    let mut daemon = scene.env.start();
    let target = "/v1/profiles/research/token?max_wait=5";
    let answer = scene.env.get(&daemon, target);
    assert_eq!(answer.code(), "binding_changed", "{}", answer.text());
    scene.env.stop(&mut daemon);
}

/// The user ID of a stranger without an account.
const STRANGER: u32 = 54_321;

#[test]
fn a_ca_file_that_others_can_change_is_refused_everywhere() {
    let scene = TwoIssuers::new();
    let inner = scene.folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let ca_file = inner.join("ca.pem");
    fs::write(&ca_file, scene.text(0)).unwrap();
    let path = ca_file.to_str().unwrap();
    scene.enrol(path);
    let modes = |folder, file| {
        fs::set_permissions(&inner, Permissions::from_mode(folder)).unwrap();
        fs::set_permissions(&ca_file, Permissions::from_mode(file)).unwrap();
    };
    let refused = |why: &str| {
        for args in [&["check"][..], &["doctor"]] {
            let out = scene.env.jetond(args);
            assert!(
                out.code != 0 && reported(&out).contains(why),
                "{why}: {out:?}"
            );
        }
        let trust = ["--ca-file", path];
        let added = scene.env.try_enrol_with("other", &scene.route.url, &trust);
        assert_eq!(added.code, 78, "{added:?}");
        assert!(added.stderr.contains(why), "{why}: {added:?}");
        let before = scene.secrets_at(0);
        let mut daemon = scene.env.start();
        let target = "/v1/profiles/research/token?max_wait=5";
        let answer = scene.env.get(&daemon, target);
        assert_eq!(answer.code(), "misconfigured", "{}", answer.text());
        let log = daemon.log_up_to_now();
        assert!(log.contains(why), "{why}: {log}");
        scene.env.stop(&mut daemon);
        assert_eq!(scene.secrets_at(0), before);
    };
    modes(0o755, 0o666);
    refused("others can write to it (mode 0666)");
    modes(0o777, 0o644);
    refused("others can write to it (mode 0777)");
    modes(0o755, 0o644);
    assert_eq!(scene.env.jetond(&["check"]).code, 0);
    if !is_root_or_skip("a_ca_file_that_others_can_change_is_refused_everywhere, of another user") {
        return;
    }
    chown(&ca_file, Some(STRANGER), None).unwrap();
    refused("it belongs to uid 54321");
    chown(&ca_file, Some(0), None).unwrap();
    // A link that belongs to the stranger can lead to any file.
    fs::rename(&ca_file, inner.join("real.pem")).unwrap();
    symlink("real.pem", &ca_file).unwrap();
    std::os::unix::fs::lchown(&ca_file, Some(STRANGER), None).unwrap();
    refused("it belongs to uid 54321");
}

fn reported(out: &Output) -> String {
    format!("{}{}", out.stdout, out.stderr)
}

#[test]
fn a_client_key_that_others_can_read_or_change_is_refused_everywhere() {
    let scene = TwoIssuers::new();
    let ca_file = scene.ca_file(0);
    let folder = scene.folder.path().join("us");
    let data = folder.join("..1");
    fs::create_dir_all(&data).unwrap();
    let (cert, key) = (folder.join("us.pem"), folder.join("us.key"));
    let pair = rcgen::generate_simple_self_signed(vec!["us".to_owned()]).unwrap();
    fs::write(&cert, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&key, 0o600);
    let enrol = |name: &str, key: &Path| {
        let more = [
            "--ca-file",
            &ca_file,
            "--client-certificate",
            cert.to_str().unwrap(),
            "--client-key",
            key.to_str().unwrap(),
        ];
        scene.env.try_enrol_with(name, &scene.route.url, &more)
    };
    let added = enrol("research", &key);
    assert_eq!(added.code, 0, "{added:?}");
    let refused = |why: &str| {
        let added = enrol("other", &key);
        assert_eq!(added.code, 78, "{added:?}");
        assert!(added.stderr.contains(why), "{why}: {added:?}");
        for args in [&["check"][..], &["doctor"]] {
            let out = scene.env.jetond(args);
            assert!(
                out.code != 0 && reported(&out).contains(why),
                "{why}: {out:?}"
            );
        }
        let before = scene.secrets_at(0);
        let mut daemon = scene.env.start();
        scene.wait_for_fault(&daemon, "tls_untrusted");
        let fault = scene.profile(&daemon)["last_fault"].to_string();
        assert!(fault.contains(why), "{why}: {fault}");
        scene.env.stop(&mut daemon);
        assert_eq!(scene.secrets_at(0), before);
    };
    mode(&key, 0o604);
    refused("others can read it (mode 0604)");
    mode(&key, 0o600);
    mode(&cert, 0o666);
    refused("others can write to it (mode 0666)");
    mode(&cert, 0o644);
    if !is_root_or_skip("a_client_key_that_others_can_read_or_change…, of another user") {
        return;
    }
    chown(&key, Some(STRANGER), None).unwrap();
    refused("it belongs to uid 54321");
    // A key of root that a group may read, as with a pod's fsGroup, in the layout of a Kubernetes volume.
    chown(&key, Some(0), Some(STRANGER)).unwrap();
    mode(&key, 0o640);
    assert_eq!(enrol("grouped", &key).code, 0);
    fs::rename(&key, data.join("us.key")).unwrap();
    symlink("..1", folder.join("..data")).unwrap();
    symlink("..data/us.key", &key).unwrap();
    mode(&data.join("us.key"), 0o644);
    let added = enrol("mounted", &key);
    assert_eq!(added.code, 0, "{added:?}");
}
