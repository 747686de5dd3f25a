//! A configuration that is gone is no instruction: what is in force stays, and says so.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which stop at the first surprise as tests do"
)]

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;

use crate::enrol::{add, write_config};
use crate::support::TestEnv;
use crate::support::daemon::Daemon;
use crate::support::http::Response;

fn reload(env: &TestEnv, daemon: &Daemon) -> Response {
    env.request(&daemon.admin, "POST", "/v1/reload", &[], b"")
}

/// A reload fails with this reason, by each of its ways, and the token stays.
#[track_caller]
fn stays(env: &TestEnv, daemon: &Daemon, why: &str) {
    let held = env.token(daemon, "research");
    let refused = reload(env, daemon);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "misconfigured"),
        "{why}"
    );
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("the old one stays in force") && detail.contains(why),
        "{detail}"
    );
    let asked = env.jeton(&["reload"]);
    assert!(
        asked.code == 78 && asked.stderr.contains(why),
        "{why}: {asked:?}"
    );
    daemon.signal(Signal::HUP);
    assert_eq!(env.token(daemon, "research"), held, "{why}");
    assert_eq!(env.jeton(&["status"]).code, 0);
}

#[test]
fn a_configuration_that_is_gone_at_a_reload_leaves_the_old_one_in_force() {
    for named in [false, true] {
        let env = TestEnv::with_sandbox(3_600);
        env.enrol("research");
        let (config, folder) = (env.config(), env.path("config/jeton"));
        let args = ["--config", config.to_str().unwrap()];
        let mut daemon = env.start_with(if named { &args } else { &[] });
        let text = fs::read(&config).unwrap();

        fs::remove_file(&config).unwrap();
        stays(&env, &daemon, "the file is gone: put it back");
        for blank in ["", "\n\n  \n"] {
            fs::write(&config, blank).unwrap();
            stays(&env, &daemon, "the file is empty: put it back");
        }
        fs::remove_file(&config).unwrap();
        symlink(env.path("nowhere"), &config).unwrap();
        stays(&env, &daemon, "this symbolic link leads nowhere");
        fs::remove_file(&config).unwrap();
        // A folder that is gone, as with a home that is not mounted any more.
        fs::rename(&folder, env.path("aside")).unwrap();
        stays(&env, &daemon, "the file is gone: put it back");
        symlink(env.path("nowhere"), &folder).unwrap();
        stays(&env, &daemon, "this symbolic link leads nowhere");
        fs::remove_file(&folder).unwrap();
        fs::rename(env.path("aside"), &folder).unwrap();

        // It comes back, and then a comment says that every profile is to go.
        write_config(&env, &text);
        assert_eq!(reload(&env, &daemon).json()["kept"], 1);
        fs::write(&config, "# none any more\n").unwrap();
        assert_eq!(reload(&env, &daemon).json()["removed"], 1);
        fs::write(&config, "").unwrap();
        assert_eq!(reload(&env, &daemon).code(), "misconfigured");
        env.stop(&mut daemon);
    }
}

#[test]
fn a_file_that_was_never_there_may_come_later() {
    let env = TestEnv::with_sandbox(3_600);
    let mut daemon = env.start();
    assert_eq!(reload(&env, &daemon).status, 200);
    write_config(&env, "");
    assert_eq!(reload(&env, &daemon).status, 200);
    fs::remove_file(env.config()).unwrap();
    assert_eq!(reload(&env, &daemon).code(), "misconfigured");
    let added = add(&env, "research", &[]);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(
        added.stdout.ends_with("the running daemon has read it\n"),
        "{added:?}"
    );
    env.token(&daemon, "research");
    env.stop(&mut daemon);
}

#[test]
fn a_daemon_whose_named_file_is_missing_does_not_start_and_check_says_the_same() {
    let env = TestEnv::new();
    let missing = env.path("home/missing.toml");
    let path = missing.to_str().unwrap();
    for variable in [false, true] {
        let run = |command: &str| {
            let mut command = env.jetond_command(&[command]);
            if variable {
                command.env("JETON_CONFIG", path);
            } else {
                command.args(["--config", path]);
            }
            env.finish("jetond", command, b"", false)
        };
        let (checked, ran) = (run("check"), run("run"));
        assert_eq!((checked.code, ran.code), (78, 78), "{ran:?}");
        assert_eq!(checked.stderr, ran.stderr);
        assert_eq!(
            ran.stderr,
            format!("jetond: {path}: there is no such file\n")
        );
    }
    let left: Vec<_> = fs::read_dir(env.path("run")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_link_that_leads_nowhere_is_a_fault_at_the_start_and_no_other_file_takes_its_place() {
    let env = TestEnv::with_sandbox(3_600);
    fs::create_dir(env.path("config/jeton")).unwrap();
    let target = env.path("home/real.toml");
    symlink(&target, env.config()).unwrap();
    for args in [&["check"][..], &["run"], &["doctor"]] {
        let failed = env.jetond(args);
        assert_eq!(failed.code, 78, "{failed:?}");
        let said = format!("{}{}", failed.stdout, failed.stderr);
        assert!(said.contains("this symbolic link leads nowhere"), "{said}");
    }
    // The first profile is what makes the file.
    assert_eq!(add(&env, "research", &[]).code, 0);
    assert!(target.exists() && env.config().is_symlink());
    assert_eq!(env.jetond(&["check"]).code, 0);
}

/// Under a service manager it runs all the same, and callers are told what is wrong.
#[test]
fn under_a_service_manager_a_named_file_that_is_missing_is_waited_for() {
    let env = TestEnv::with_sandbox(3_600);
    let missing = env.path("home/missing.toml");
    let path = missing.to_str().unwrap();
    let mut command = env.jetond_command(&["run", "--config", path]);
    command.env("NOTIFY_SOCKET", env.path("home/nobody-listens"));
    let mut daemon = env.start_command(command);
    let why = format!("{path}: there is no such file");
    for refused in [env.jeton(&["status"]), env.jeton(&["reload"])] {
        assert!(
            refused.code == 78 && refused.stderr.contains(&why),
            "{refused:?}"
        );
    }
    let added = add(&env, "research", &["--config", path]);
    assert!(
        added.stdout.ends_with("the running daemon has read it\n"),
        "{added:?}"
    );
    env.token(&daemon, "research");
    fs::remove_file(missing).unwrap();
    stays(&env, &daemon, "the file is gone: put it back");
    env.stop(&mut daemon);
}
