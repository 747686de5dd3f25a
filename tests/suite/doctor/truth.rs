//! Truth of `doctor`: nothing untried is reported as well, and the outcome of an attempt is reported as it was.

use std::os::unix::fs::chown;

use super::*;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::mounts::{can_mount_or_skip, in_mounts};
use crate::support::users::{User, install};

const ALICE: User = User {
    uid: 60_001,
    gid: 60_001,
    groups: &[],
};

/// Returns the verdicts about the token, the credential and the issuer of the only profile.
#[track_caller]
fn verdicts(findings: &[Value]) -> [String; 3] {
    ["token", "credential", "issuer"].map(|check| about(findings, check).0)
}

/// Waits until the profile is in this phase.
fn wait_for_phase(env: &TestEnv, daemon: &Daemon, phase: &str) {
    wait_until(phase, || {
        env.get(daemon, "/v1/profiles/research").json()["phase"] == phase
    });
}

#[test]
fn without_a_daemon_doctor_reports_untested_checks_as_skipped() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    for fault in ["none", "html", "invalid-client"] {
        env.fault(fault);
        let (code, findings) = doctor(&env, &[]);
        assert_eq!(code, 0, "{findings:#?}");
        for check in ["credential", "issuer"] {
            assert_about(&findings, check, "skip", "not tried: no daemon is running");
            assert_about(&findings, check, "skip", "; start it: jetond run");
        }
    }
    let shown = env.jetond(&["doctor"]);
    assert!(
        shown
            .stdout
            .contains("skip  research: credential  the credential for http://127.0.0.1:"),
        "{shown:?}"
    );
}

#[test]
fn doctor_reports_a_failed_attempt_with_its_fault() {
    for (fault, phase, says, expected) in [
        (
            "html",
            "retrying",
            "something other than JSON",
            ["fail", "skip", "fail"],
        ),
        ("status:503", "retrying", "503", ["fail", "skip", "fail"]),
        ("reset", "retrying", "connection", ["fail", "skip", "fail"]),
        (
            "invalid-client",
            "retrying",
            "invalid_client",
            ["fail", "fail", "fail"],
        ),
        (
            "hang",
            "starting",
            "the first attempt is running",
            ["skip", "skip", "fail"],
        ),
    ] {
        let env = TestEnv::with_sandbox(3_600);
        env.enrol("research");
        env.fault(fault);
        let mut daemon = env.start();
        wait_for_phase(&env, &daemon, phase);
        let (code, findings) = doctor(&env, &[]);
        assert_about(&findings, "token", expected[0], says);
        assert_eq!(verdicts(&findings), expected, "{fault} {findings:#?}");
        assert_eq!(code, 1, "{fault} {findings:#?}");
        env.stop(&mut daemon);
    }
}

#[test]
fn doctor_reports_a_held_token_and_the_fault_of_its_refresh() {
    let env = TestEnv::with_sandbox(4);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(
        (code, verdicts(&findings)),
        (0, ["ok"; 3].map(str::to_owned))
    );
    assert_about(&findings, "token", "ok", "fresh: valid for");
    env.fault("html");
    wait_until("a failed attempt", || {
        env.token(&daemon, "research");
        let state = env.get(&daemon, "/v1/profiles/research").json();
        state["phase"] == "retrying"
    });
    wait_for_phase(&env, &daemon, "expired");
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 1, "{findings:#?}");
    assert_eq!(verdicts(&findings), ["fail", "skip", "fail"]);
    assert_about(
        &findings,
        "token",
        "fail",
        "expired: no token is held; the last fault",
    );
    // After the repair, the fault is history.
    env.fault("none");
    // On a busy machine the profile may have gone idle in the meantime. A request wakes it.
    wait_until("fresh", || {
        env.get(&daemon, "/v1/profiles/research/token?max_wait=1");
        env.get(&daemon, "/v1/profiles/research").json()["phase"] == "fresh"
    });
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(
        (code, verdicts(&findings)),
        (0, ["ok"; 3].map(str::to_owned))
    );
    assert_about(&findings, "token", "ok", "the last fault");
    env.stop(&mut daemon);
}

#[test]
fn doctor_warns_of_a_profile_that_the_running_daemon_does_not_have() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let text = fs::read_to_string(env.config()).unwrap();
    let other = env.path("other.toml");
    fs::write(&other, text.replace("research", "other")).unwrap();
    let mut daemon = env.start_with(&["--config", other.to_str().unwrap()]);
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 0, "{findings:#?}");
    assert_eq!(verdicts(&findings), ["warn", "skip", "skip"]);
    assert_about(&findings, "token", "warn", "does not keep this profile");
    env.stop(&mut daemon);
}

#[test]
fn doctor_checks_the_folder_that_a_daemon_of_this_user_would_use() {
    if !can_mount_or_skip("doctor_checks_the_folder_that_a_daemon_of_this_user_would_use") {
        return;
    }
    let env = TestEnv::new();
    set_mode(&env, "", 0o711);
    for folder in ["home", "state", "config"] {
        chown(env.path(folder), Some(ALICE.uid), Some(ALICE.gid)).unwrap();
    }
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let named = "/run/mine/jeton.sock";
    let ways = "XDG_RUNTIME_DIR to a folder of yours, name a socket with --socket, or serve one command: jetond run -- CMD";
    let user = "mkdir -p /run/user/60001; chown 60001 /run/user/60001; chmod 700 /run/user/60001";
    let mine = "mkdir -m 700 /run/mine; chown 60001 /run/mine";
    for (prepare, runtime, args, verdict, says) in [
        ("", None, &[][..], "fail", ways),
        ("mkdir /run/jeton", None, &[], "fail", ways),
        ("", Some("/run/user/60001"), &[], "fail", ways),
        (
            user,
            None,
            &[],
            "ok",
            "/run/user/60001/jeton is not there yet",
        ),
        (
            user,
            Some("/run/user/60001"),
            &[],
            "ok",
            "/run/user/60001/jeton is not there yet",
        ),
        (
            "mkdir -m 777 /run/x",
            Some("/run/x"),
            &[],
            "fail",
            "others can write to it",
        ),
        (
            mine,
            None,
            &["--socket", named],
            "ok",
            "/run/mine is private to its owner",
        ),
        (
            "chmod 755 /run",
            None,
            &["--socket", named],
            "fail",
            "another place with --socket",
        ),
        (
            "",
            None,
            &["--socket", "/run/jeton.sock"],
            "fail",
            "another place with --socket",
        ),
        (
            "",
            None,
            &["--socket", "jeton.sock"],
            "fail",
            "write the full path",
        ),
        (
            "mkdir /run/v; mount -t tmpfs -o mode=777 tmpfs /run/v",
            None,
            &["--socket", "/run/v/jeton.sock"],
            "warn",
            "every user of that volume is trusted",
        ),
    ] {
        let prepare = format!("mount -t tmpfs -o mode=755 tmpfs /run\n{prepare}");
        let args = [&["doctor", "--json"], args].concat();
        let mut command = in_mounts(&env, &prepare, ALICE, &jetond.program, &args);
        command.env_remove("XDG_RUNTIME_DIR");
        command.envs(runtime.map(|folder| ("XDG_RUNTIME_DIR", folder)));
        let examined = env.finish("doctor", command, b"", false);
        let findings: Vec<Value> = serde_json::from_str(&examined.stdout)
            .unwrap_or_else(|e| unreachable!("{e}: {examined:?}"));
        assert_about(&findings, "sockets", verdict, says);
        assert_eq!(examined.code, i32::from(verdict == "fail"), "{examined:?}");
    }
}

#[test]
fn doctor_accepts_an_open_folder_for_a_socket_with_a_shared_mode() {
    let env = TestEnv::new();
    write_config(&env, "[socket]\nmode = 'all'\n");
    set_mode(&env, "", 0o711);
    let mut daemon = env.start();
    let (code, findings) = doctor(&env, &[]);
    assert_eq!(code, 0, "{findings:#?}");
    assert_about(&findings, "sockets", "ok", "");
    env.stop(&mut daemon);
}
