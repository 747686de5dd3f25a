//! A boot clock with an offset from the machine's, as after a container was moved: only differences count.

use std::process::{Command, Stdio};

use crate::support::daemon::wait_until;
use crate::support::{TestEnv, ignored, unix_now};

/// Offsets in seconds: ahead of the machine's clock, and behind it.
const OFFSETS: [&str; 2] = ["864000", "-60"];

#[test]
fn a_constant_offset_of_the_boot_clock_changes_nothing() {
    let possible = Command::new("unshare")
        .args(["-T", "--boottime", "60", "true"])
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        ignored("a_constant_offset_of_the_boot_clock_changes_nothing: no time namespaces here");
        return;
    }
    for offset in OFFSETS {
        let env = TestEnv::with_sandbox(4);
        env.enrol("research");
        let mut command = env.command("unshare");
        command
            .args(["-T", "--boottime", offset, "--monotonic", offset])
            .args([env!("CARGO_BIN_EXE_jetond"), "run"]);
        let mut daemon = env.start_command(command);
        let outside = env.jeton(&["token", "research", "--json"]);
        assert_eq!(outside.code, 0, "{outside:?}");
        let first: serde_json::Value = serde_json::from_str(&outside.stdout).unwrap();
        assert!(first["expires_in"].as_u64().unwrap() <= 3, "{first}");
        let expires_at = first["expires_at"].as_u64().unwrap();
        let now = unix_now();
        assert!(
            expires_at.abs_diff(now) <= 4,
            "the token expires far from now, {now}: {first}"
        );
        // The refresh happens when it is due, by a timer on that clock. The offset is not taken for a suspend.
        wait_until("two refreshes", || {
            let status = env.get(&daemon, "/v1/profiles/research").json();
            env.token(&daemon, "research");
            status["counts"]["refreshes"].as_u64() >= Some(3)
        });
        let status = env.get(&daemon, "/v1/profiles/research").json();
        assert_eq!(status["counts"]["failures"], 0, "{status}");
        assert_eq!(status["clock_skew"].as_i64().unwrap().abs() / 2, 0);
        assert!(!daemon.log().contains("suspended"));
        env.stop(&mut daemon);
    }
}
