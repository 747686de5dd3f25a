//! Messages to the service manager, and a configuration that becomes invalid while the daemon runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use crate::support::TestEnv;
use crate::support::daemon::{PATIENCE, accepts};
use crate::support::ends::shut_down;
use crate::support::manager::{self, Manager};

/// Returns the time on the clock that systemd uses for reloads, in microseconds.
fn monotonic() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

const BROKEN: &str = "[profiles.research]\nprovider = \"runai\"\nurl = \"https://canary-value.example:99999\"\nclient-secret = \"canary-value\"\n";

#[test]
fn the_manager_is_notified_of_start_tokens_reloads_and_stop() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("hang");
    let manager = Manager::new(&env);
    let mut daemon = manager.start(&env);
    let ready = manager.next_notification();
    assert_eq!(ready.0, ["READY=1", "STATUS=1 profile, 0 ready"]);
    assert_eq!(env.get(&daemon, "/readyz").status, 200);
    env.fault("none");
    manager.wait_for_notification("STATUS=1 profile, 1 ready");

    for by_signal in [true, false] {
        let before = monotonic();
        if by_signal {
            daemon.signal(Signal::HUP);
        } else {
            let reload = env.jeton(&["reload"]);
            assert_eq!(reload.code, 0, "{reload:?}");
        }
        let reloading = manager.next_notification();
        assert_eq!(reloading.0[0], "RELOADING=1");
        let at: i64 = reloading.value("MONOTONIC_USEC").unwrap().parse().unwrap();
        assert!((before..=monotonic()).contains(&at), "{before} {at}");
        let ready = manager.next_notification();
        assert_eq!(ready.0, ["READY=1", "STATUS=1 profile, 1 ready"]);
    }

    fs::write(env.config(), BROKEN).unwrap();
    daemon.signal(Signal::HUP);
    assert_eq!(manager.next_notification().0[0], "RELOADING=1");
    let ready = manager.next_notification();
    assert_eq!(ready.0[0], "READY=1");
    let status = ready.value("STATUS").unwrap();
    assert!(
        status.starts_with("1 profile, 1 ready; the configuration is invalid: /")
            && status.contains("config.toml:3:")
            && status.ends_with("(and one more fault)"),
        "{status}"
    );
    assert!(!status.contains("canary-value"));
    env.token(&daemon, "research");

    daemon.signal(Signal::TERM);
    assert_eq!(
        manager.next_notification().0,
        ["STOPPING=1", "STATUS=stopping"]
    );
    assert!(daemon.wait().success());
}

#[test]
fn the_status_names_a_profile_without_a_token_and_the_reason() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    fs::remove_file(env.record("research")).unwrap();
    let manager = Manager::new(&env);
    let mut daemon = manager.start(&env);
    manager.wait_for_notification(
        "STATUS=1 profile, 0 ready; research: no credential is stored for research; run 'jetond add research --rebind'",
    );
    let secret = env.secret_file();
    let rebind = ["add", "research", "--rebind", "--client-id", "test-client"];
    let secret = ["--client-secret-file", secret.to_str().unwrap()];
    let rebound = env.jetond(&[&rebind[..], &secret].concat());
    assert_eq!(rebound.code, 0, "{rebound:?}");
    manager.wait_for_notification("STATUS=1 profile, 1 ready");
    env.stop(&mut daemon);
}

#[test]
fn callers_get_the_reason_for_an_invalid_configuration() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let good = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), BROKEN).unwrap();
    let manager = Manager::new(&env);
    let mut daemon = manager.start(&env);
    let ready = manager.next_notification();
    assert_eq!(ready.0[0], "READY=1");
    let place = format!("{}:3:", env.config().display());
    let status = ready.value("STATUS").unwrap();
    assert!(
        status.starts_with("misconfigured; ") && status.contains(&place),
        "{status}"
    );

    for target in [
        "/v1/profiles/research/token",
        "/v1/profiles/other/token",
        "/v1/profiles/research",
        "/v1/profiles",
        "/readyz",
        "/readyz/research",
    ] {
        let answer = env.get(&daemon, target);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (503, "misconfigured"),
            "{target}"
        );
        assert!(answer.text().contains(&place), "{answer:?}");
        assert!(!answer.text().contains("canary-value"));
    }
    assert_eq!(env.get(&daemon, "/healthz").status, 200);
    for verb in ["token", "header", "status", "ready", "refresh"] {
        let said = env.jeton(&[verb]);
        assert_eq!((said.code, said.stdout.as_str()), (78, ""), "{said:?}");
        assert!(
            said.stderr.contains(&place) && said.stderr.lines().count() == 1,
            "{said:?}"
        );
    }
    assert_eq!(env.sandbox().stats().token_requests, 1, "only at enrolment");

    // Now invalid for another reason.
    fs::write(env.config(), &good).unwrap();
    fs::set_permissions(env.config(), PermissionsExt::from_mode(0o666)).unwrap();
    let said = env.jeton(&["reload"]);
    assert_eq!(said.code, 78, "{said:?}");
    assert!(said.stderr.contains("others can write to it"), "{said:?}");
    let answer = env.get(&daemon, "/v1/profiles/research/token");
    assert!(
        answer.text().contains("others can write to it"),
        "{answer:?}"
    );

    fs::set_permissions(env.config(), PermissionsExt::from_mode(0o600)).unwrap();
    daemon.signal(Signal::HUP);
    manager.wait_for_notification("STATUS=1 profile, 1 ready");
    env.token(&daemon, "research");
    assert_eq!(env.get(&daemon, "/readyz").status, 200);
    assert!(!daemon.log().contains("canary-value"));
    env.stop(&mut daemon);
}

#[test]
fn without_a_service_manager_an_invalid_configuration_prevents_the_start() {
    let env = TestEnv::new();
    fs::create_dir_all(env.path("config/jeton")).unwrap();
    fs::write(env.config(), BROKEN).unwrap();
    for empty in [false, true] {
        let mut command = env.jetond_command(&["run"]);
        if empty {
            command.env("NOTIFY_SOCKET", "");
        }
        let mut daemon = env.spawn_command(command);
        assert_eq!(daemon.wait().code(), Some(78));
        assert!(!daemon.socket.exists());
    }
}

/// Creates an abstract socket, as container managers pass it, and returns its name for `NOTIFY_SOCKET`.
#[cfg(target_os = "linux")]
fn abstract_socket() -> (UnixDatagram, String) {
    use std::os::linux::net::SocketAddrExt as _;
    let name = format!("jeton-test-{}-{}", std::process::id(), fastrand::u64(..));
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let heard = UnixDatagram::bind_addr(&address).unwrap();
    heard.set_read_timeout(Some(PATIENCE)).unwrap();
    (heard, format!("@{name}"))
}

#[cfg(target_os = "linux")]
#[test]
fn a_manager_with_an_abstract_address_is_notified() {
    let env = TestEnv::new();
    let (heard, name) = abstract_socket();
    let mut command = env.jetond_command(&["run"]);
    command.env("NOTIFY_SOCKET", name);
    let mut daemon = env.start_command(command);
    assert_eq!(manager::next(&heard).0[0], "READY=1");
    daemon.signal(Signal::TERM);
    assert_eq!(manager::next(&heard).0[0], "STOPPING=1");
    assert!(daemon.wait().success());
}

#[test]
fn an_invalid_address_is_logged_and_tokens_are_served() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut command = env.jetond_command(&["run"]);
    command.env("NOTIFY_SOCKET", "vsock:2:1234");
    let mut daemon = env.start_command(command);
    daemon.wait_for_log("NOTIFY_SOCKET is neither");
    env.token(&daemon, "research");
    env.stop(&mut daemon);
}

#[test]
fn the_watchdog_is_pinged_only_by_the_process_in_watchdog_pid() {
    let env = TestEnv::new();
    let heard = manager::hear(&env);
    let start = |pid: &str| {
        let mut command = env.command("/bin/sh");
        let text = format!("export WATCHDOG_PID={pid}; exec \"$0\" run");
        command
            .args(["-c", &text, env!("CARGO_BIN_EXE_jetond")])
            .env("WATCHDOG_USEC", "100000")
            .env("NOTIFY_SOCKET", env.path("notify"));
        env.start_command(command)
    };
    let mut daemon = start("$$");
    assert_eq!(manager::next(&heard).0[0], "READY=1");
    for _ in 0..5 {
        assert_eq!(manager::next(&heard).0, ["WATCHDOG=1"]);
    }
    // The daemon's request to itself is logged like any other.
    daemon.wait_for_log("path=\"/healthz\" status=200");
    env.stop(&mut daemon);
    while manager::next(&heard).0[0] != "STOPPING=1" {}

    let mut daemon = start("1");
    assert_eq!(manager::next(&heard).0[0], "READY=1");
    env.stop(&mut daemon);
    assert_eq!(manager::next(&heard).0[0], "STOPPING=1");
}

#[test]
fn a_missing_manager_delays_no_token() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let heard = manager::hear(&env);
    let mut command = env.jetond_command(&["run"]);
    command.env("NOTIFY_SOCKET", env.path("notify"));
    let mut daemon = env.start_command(command);
    assert_eq!(manager::next(&heard).0[0], "READY=1");
    shut_down(heard);
    daemon.signal(Signal::HUP);
    daemon.wait_for_log("the service manager could not be notified");
    assert!(accepts(&daemon.socket));
    env.token(&daemon, "research");
    env.stop(&mut daemon);
}
