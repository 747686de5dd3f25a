use std::path::Path;

use super::*;

/// Limits longer than any test, so that only a limit that a test sets ends a program.
const LONG: Limits = Limits {
    time: Duration::from_secs(600),
    output: 64 * 1024,
};

fn sh(script: &str, limits: Limits) -> Result<Zeroizing<Vec<u8>>, RunError> {
    let words = ["/bin/sh", "-c", script].map(str::to_owned);
    let path = [("PATH".into(), "/usr/bin:/bin".into())];
    run(&words, &path, limits)
}

fn printed(script: &str) -> String {
    String::from_utf8(sh(script, LONG).unwrap().to_vec()).unwrap()
}

/// Reports whether the process has ended, or is about to be reaped.
fn is_gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| {
        stat.rsplit_once(") ")
            .is_none_or(|(_, rest)| rest.starts_with('Z'))
    })
}

#[expect(clippy::disallowed_methods, reason = "the test waits for the kernel")]
fn wait_until_gone(pid: &str) {
    while !is_gone(pid) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_program_runs_without_our_environment_and_only_its_output_is_returned() {
    assert_eq!(printed("printf secret"), "secret");
    assert_eq!(printed("echo error >&2; cat; echo end"), "end\n");
    assert_eq!(printed("pwd"), "/\n");
    let env = printed("env");
    let names: Vec<_> = env
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let ours = ["PATH", "PWD", "SHLVL", "_", "OLDPWD"];
    assert!(names.iter().all(|(name, _)| ours.contains(name)), "{env}");
}

#[test]
fn a_failed_program_is_reported_by_its_status_without_its_output() {
    let failed = sh("echo secret; exit 3", LONG).unwrap_err().to_string();
    assert_eq!(failed, "failed (exit status: 3)");
    let words = ["/nowhere".to_owned()];
    let missing = run(&words, &[], LONG).unwrap_err();
    assert!(missing.system().is_some(), "{missing}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_hanging_program_is_killed_with_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let script = format!(
        "sleep 600 & echo $! > {0}; (trap '' TERM HUP INT; sleep 600) & echo $! >> {0}; echo $$ >> {0}; wait",
        pids.display()
    );
    let limits = Limits {
        time: Duration::from_secs(2),
        ..LONG
    };
    let late = sh(&script, limits).unwrap_err();
    assert!(matches!(late, RunError::Late(_)), "{late}");
    let pids = std::fs::read_to_string(pids).unwrap();
    assert_eq!(pids.lines().count(), 3);
    pids.lines().for_each(wait_until_gone);
}

#[cfg(target_os = "linux")]
#[test]
fn the_child_of_a_program_that_has_exited_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    // The child has the same standard output, and never closes it.
    let script = format!("sleep 600 & echo $! > {}; echo secret", pid.display());
    assert_eq!(printed(&script), "secret\n");
    wait_until_gone(std::fs::read_to_string(pid).unwrap().trim());
}

#[test]
fn a_program_with_endless_output_is_killed_at_the_size_limit() {
    let long = sh("exec yes", LONG).unwrap_err();
    assert!(matches!(long, RunError::TooLong(_)), "{long}");
    let whole = printed("head -c 65536 /dev/zero | tr '\\0' a");
    assert_eq!(whole.len(), 65_536);
}

#[test]
fn a_program_that_closes_its_output_is_still_waited_for() {
    let status = sh("echo secret; exec >&-; sleep 0.1; exit 4", LONG).unwrap_err();
    assert_eq!(status.to_string(), "failed (exit status: 4)");
}

#[test]
fn a_program_replaced_during_its_run_completes() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (program, next) = (dir.path().join("program"), dir.path().join("next"));
    let write = |path: &Path, script: &str| {
        std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    write(&next, "echo second");
    write(
        &program,
        &format!("mv {} {}; echo first", next.display(), program.display()),
    );
    let words = [program.to_str().unwrap().to_owned()];
    let path = [("PATH".into(), "/usr/bin:/bin".into())];
    for expected in ["first\n", "second\n"] {
        let printed = run(&words, &path, LONG).unwrap();
        assert_eq!(printed.as_slice(), expected.as_bytes());
    }
}
