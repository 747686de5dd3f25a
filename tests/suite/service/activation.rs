//! Socket activation: sockets that a service manager has bound.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use crate::support::TestEnv;
use crate::support::daemon::{accepts, wait_until};
use crate::support::ignored;
use crate::support::manager::{Manager, passing};
use crate::support::wire::{Wire, get};

/// Returns the inodes of both socket files.
fn inodes(env: &TestEnv) -> [u64; 2] {
    ["run/jeton/jeton.sock", "run/jeton-admin/admin.sock"]
        .map(|path| env.path(path).symlink_metadata().unwrap().ino())
}

#[test]
fn an_inherited_socket_outlives_the_daemon() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let manager = Manager::new(&env);
    let before = inodes(&env);
    for _ in 0..2 {
        // A request from before the daemon starts.
        let mut waiting = Wire::new(&env, &env.path("run/jeton/jeton.sock"));
        waiting.send(get("/healthz")).unwrap();
        let mut daemon = manager.start(&env);
        assert_eq!(waiting.answer().status, 200);
        env.token(&daemon, "research");
        let status = env.jeton(&["status", "--json"]);
        let shown = daemon.socket.display().to_string();
        assert!(status.stdout.contains(&shown), "{status:?}");
        assert_eq!(env.jeton(&["reload"]).code, 0);
        let log = daemon.log();
        assert!(!log.contains("WARN"), "{log}");
        env.stop(&mut daemon);
        assert_eq!(inodes(&env), before);
        assert_eq!(waiting.rest(), b"");
        assert!(!env.path("run/jeton/jeton.sock.lock").exists());
    }
}

#[test]
fn clients_see_the_service_manager_as_the_listener() {
    let env = TestEnv::new();
    let manager = Manager::new(&env);
    let mut daemon = manager.start(&env);
    assert_eq!(env.get(&daemon, "/healthz").status, 200);
    for socket in [&daemon.socket, &daemon.admin] {
        let client = UnixStream::connect(socket).unwrap();
        let listener = rustix::net::sockopt::socket_peercred(&client).unwrap();
        // The test process is the listening side, as it created the sockets.
        assert_eq!(listener.pid, rustix::process::getpid());
    }
    env.stop(&mut daemon);
}

#[test]
fn a_reload_with_a_changed_socket_mode_names_the_socket_units_setting() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let manager = Manager::new(&env);
    let mut daemon = manager.start(&env);
    let text = fs::read_to_string(env.config()).unwrap();
    let reload = |mode: &str| {
        fs::write(env.config(), format!("{text}\n[socket]\nmode = '{mode}'\n")).unwrap();
        let told = env.jeton(&["reload"]);
        assert_eq!(told.code, 0, "{told:?}");
        told.stderr
    };
    let set = |mode| fs::set_permissions(&daemon.socket, fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(reload("private"), "");
    let told = reload("all");
    assert!(told.contains("jetond setup socket"), "{told}");
    assert!(
        !told.contains("restart needed"),
        "a restart would change nothing: {told}"
    );
    // The log names the setting, or the folder that keeps other users out on this machine.
    let [all, private] = ["SocketMode=0666", "SocketMode=0600"];
    wait_until("the log to name the necessary setting", || {
        let log = daemon.log();
        log.contains(all) || log.contains("do not get through")
    });
    assert!(!daemon.log().contains(private), "{}", daemon.log());
    // Back to the socket's own mode: no restart is needed, and nothing is reported.
    assert_eq!(reload("private"), "");
    set(0o666);
    assert!(reload("private").contains("jetond setup socket"));
    daemon.wait_for_log(private);
    assert!(!daemon.log().contains("restart needed"));
    env.stop(&mut daemon);
}

#[test]
fn inherited_sockets_are_distinguished_by_name() {
    let env = TestEnv::new();
    let at = |name: &str| UnixListener::bind(env.path(name)).unwrap();
    let (admin, tokens): (OwnedFd, OwnedFd) = (at("run/a").into(), at("run/t").into());
    let mut daemon = env.spawn_passing(passing(&env, "admin:jeton"), [admin, tokens]);
    let ask = |socket: &str, method, target| {
        let socket = env.path(socket);
        env.request(&socket, method, target, &[], b"").status
    };
    assert_eq!(ask("run/a", "POST", "/v1/reload"), 200);
    assert_eq!(ask("run/t", "POST", "/v1/reload"), 403);
    assert_eq!(ask("run/t", "GET", "/v1/profiles"), 200);
    assert_eq!(ask("run/a", "GET", "/v1/profiles"), 404);
    env.stop(&mut daemon);
}

#[test]
fn the_daemon_creates_the_socket_that_it_did_not_inherit() {
    let env = TestEnv::new();
    let tokens = UnixListener::bind(env.path("run/t")).unwrap();
    let mut command = passing(&env, "jeton");
    command.env("LISTEN_FDS", "1");
    let other = fs::File::open("/dev/null").unwrap();
    let mut daemon = env.spawn_passing(command, [tokens.into(), other.into()]);
    wait_until("the admin socket", || accepts(&daemon.admin));
    daemon.socket = env.path("run/t");
    assert_eq!(env.get(&daemon, "/healthz").status, 200);
    env.stop(&mut daemon);
    assert!(daemon.socket.exists() && !daemon.admin.exists());
}

#[test]
fn an_unusable_inherited_socket_is_refused_with_the_reason() {
    let env = TestEnv::new();
    let unix = |name: &str| -> OwnedFd { UnixListener::bind(env.path(name)).unwrap().into() };
    let connected = std::os::unix::net::UnixStream::pair().unwrap().0;
    for (names, sockets, says) in [
        (
            "jeton:other",
            [unix("a"), unix("b")],
            "FileDescriptorName=admin",
        ),
        ("jeton", [unix("c"), unix("d")], "under the name \"\""),
        (
            "jeton:jeton",
            [unix("e"), unix("f")],
            "two sockets were passed under the name jeton",
        ),
        (
            "jeton:admin",
            [unix("g"), TcpListener::bind("127.0.0.1:0").unwrap().into()],
            "the name admin is not a Unix stream socket",
        ),
        (
            "jeton:admin",
            [UnixDatagram::bind(env.path("h")).unwrap().into(), unix("i")],
            "the name jeton is not a Unix stream socket",
        ),
        (
            "jeton:admin",
            [fs::File::open("/dev/null").unwrap().into(), unix("j")],
            "the name jeton is not a Unix stream socket",
        ),
        (
            "jeton:admin",
            [connected.into(), unix("k")],
            "does not listen: it needs Accept=no",
        ),
    ] {
        let mut daemon = env.spawn_passing(passing(&env, names), sockets);
        assert_eq!(daemon.wait().code(), Some(78), "{names}");
        let log = daemon.log();
        let told = |line: &str| line.starts_with("jetond: ") && line.contains(says);
        assert!(log.lines().any(told), "{log}");
        assert!(!daemon.socket.exists() && !daemon.admin.exists());
    }
}

#[test]
fn sockets_for_another_process_are_ignored() {
    let env = TestEnv::new();
    let at = |name: &str| UnixListener::bind(env.path(name)).unwrap();
    let mut command = passing(&env, "jeton:admin");
    command.env("PID", "1");
    let sockets = [at("t").into(), at("a").into()];
    let mut daemon = env.spawn_passing(command, sockets);
    wait_until("the daemon's own sockets", || accepts(&daemon.admin));
    env.stop(&mut daemon);
    assert!(!daemon.socket.exists());
}

#[test]
fn passed_sockets_are_closed_in_child_processes() {
    let env = TestEnv::new();
    let manager = Manager::new(&env);
    let mut daemon = manager.start(&env);
    manager.wait_for_notification("READY=1");
    for fd in [3, 4] {
        let path = format!("/proc/{}/fdinfo/{fd}", daemon.child.id());
        // Only root can read the descriptors of a process that is not dumpable.
        let Ok(info) = fs::read_to_string(path) else {
            ignored("only root can look at the descriptors of a daemon");
            break;
        };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
        assert_ne!(flags & 0o2_000_000, 0, "no close-on-exec flag: {info}");
    }
    env.stop(&mut daemon);
}

#[test]
fn systemd_socket_activate_starts_the_daemon_at_the_first_connection() {
    let activator = "/usr/bin/systemd-socket-activate";
    if !fs::exists(activator).unwrap() {
        return ignored("there is no systemd-socket-activate");
    }
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let sockets = ["run/jeton/jeton.sock", "run/jeton-admin/admin.sock"].map(|p| env.path(p));
    for _ in 0..2 {
        let mut command = env.command(activator);
        for socket in &sockets {
            command.arg("-l").arg(socket);
        }
        command.arg("--fdname=jeton:admin");
        for name in [
            "HOME",
            "XDG_RUNTIME_DIR",
            "XDG_STATE_HOME",
            "XDG_CONFIG_HOME",
            "JETON_LOG",
        ] {
            command.args(["-E", name]);
        }
        command.args([env!("CARGO_BIN_EXE_jetond"), "run"]);
        let mut daemon = env.spawn_command(command);
        daemon.wait_for_log("Listening on");
        assert!(
            !daemon.log().contains("serving"),
            "the daemon has started without a request"
        );
        wait_until("the sockets", || sockets.iter().all(|path| path.exists()));
        env.token(&daemon, "research");
        assert_eq!(env.jeton(&["reload"]).code, 0);
        env.stop(&mut daemon);
        assert!(
            sockets.iter().all(|path| path.exists()),
            "the passed sockets stay"
        );
    }
}
