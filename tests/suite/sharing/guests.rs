//! `run --allow USER -- CMD`: a command that runs as the named user may use the daemon, and other users may not.

use super::*;
use crate::support::env::Output;
use crate::support::users::{Installed, install, is_root_or_skip};

/// Part of the message to a user that is refused.
const HINT: &str = "jetond run --allow USER -- CMD";

/// A test environment in which root starts commands as other users.
struct RunEnv {
    env: TestEnv,
    jeton: Installed,
}

impl RunEnv {
    fn new() -> Self {
        let env = TestEnv::with_sandbox(3_600);
        env.enrol("research");
        chmod(&env.path(""), 0o711);
        chmod(&env.path("tmp"), 0o711);
        Self {
            env,
            jeton: install(env!("CARGO_BIN_EXE_jeton")),
        }
    }

    /// Returns a shell command that runs the companion as this user.
    fn as_user(&self, user: User) -> String {
        let jeton = self.jeton.program.display();
        format!("setpriv {} {jeton}", user.setpriv().join(" "))
    }

    /// Runs a script as root beside a daemon with these options.
    fn run(&self, options: &[&str], script: &str) -> Output {
        let args = [&["run"], options, &["--", "sh", "-c", script]].concat();
        let mut command = self.env.jetond_command(&args);
        command.env("JETON_LOG", "warn");
        self.env.finish("run", command, b"", true)
    }
}

#[test]
fn run_with_allow_serves_only_a_command_of_the_allowed_user() {
    if !is_root_or_skip("run_with_allow_serves_only_a_command_of_the_allowed_user") {
        return;
    }
    let place = RunEnv::new();
    let (alice, bob) = (place.as_user(ALICE), place.as_user(BOB));
    // A rule in the configuration applies only to a daemon without a command.
    let profiles = fs::read_to_string(place.env.config()).unwrap();
    configure(
        &place.env,
        &profiles,
        "mode = 'private'",
        &[("research", "uid = 60002")],
    );
    let script = format!(
        "set -e; d=${{JETON_SOCKET%/*}}; stat -c %a \"$d\" \"${{d%/*}}\" \"$JETON_SOCKET\" \"${{JETON_ADMIN_SOCKET%/*}}\"
         {alice} token research >/dev/null; {alice} status; {} ready
         {alice} reload && exit 9
         {bob} token research && exit 9
         {bob} --socket \"$JETON_ADMIN_SOCKET\" reload && exit 9
         exit 7",
        place.jeton.program.display()
    );
    for user in ["60001", "60001 --allow 1"] {
        let mut options = vec!["--allow"];
        options.extend(user.split(' '));
        let output = place.run(&options, &script);
        assert_eq!(output.code, 7, "{output:?}");
        let modes: Vec<_> = output.stdout.lines().take(4).collect();
        assert_eq!(modes, ["711", "711", "666", "700"], "{output:?}");
        assert!(
            output.stdout.contains("fresh"),
            "the status lacks a profile: {output:?}"
        );
        assert!(output.stderr.contains(HINT), "{output:?}");
        // The private folder must be one that the user can reach.
        assert!(!output.stdout.contains("/run/"), "{output:?}");
    }
    let open = place.run(&["--allow", "60001"], "echo $JETON_SOCKET");
    let expected = place.env.path("tmp/jeton-run-").display().to_string();
    assert!(open.stdout.starts_with(&expected), "{open:?}");
}

#[test]
fn run_allows_a_user_by_name_and_refuses_unknown_names() {
    if !is_root_or_skip("run_allows_a_user_by_name_and_refuses_unknown_names") {
        return;
    }
    let place = RunEnv::new();
    let daemon = User {
        uid: 1,
        gid: 1,
        groups: &[],
    };
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    if passwd.lines().any(|line| line.starts_with("daemon:x:1:")) {
        let script = format!("{} token research", place.as_user(daemon));
        let output = place.run(&["--allow", "daemon"], &script);
        assert_eq!(output.code, 0, "{output:?}");
        assert_eq!(
            output.stdout.trim_end(),
            place.env.sandbox().issued().last().unwrap()
        );
    } else {
        crate::support::ignored("a user by name: no user daemon here");
    }
    for (user, says) in [
        ("no-such-user-here", "knows no user of that name"),
        ("4294967295", "no user has this number"),
    ] {
        let output = place.run(&["--allow", user], "echo it ran");
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (64, ""),
            "{output:?}"
        );
        assert!(output.stderr.contains(says), "{output:?}");
    }
    let alone = place.env.jetond(&["run", "--allow", "60001"]);
    assert_eq!(alone.code, 64, "{alone:?}");
    assert!(
        alone.stderr.contains("[[profiles.NAME.allow]]"),
        "{alone:?}"
    );
}

#[test]
fn a_refusal_of_another_users_command_names_the_option_allow() {
    if !is_root_or_skip("a_refusal_of_another_users_command_names_the_option_allow") {
        return;
    }
    let place = RunEnv::new();
    let refused = place.run(&[], &format!("{} token research", place.as_user(ALICE)));
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (77, ""),
        "{refused:?}"
    );
    let says = format!("permission denied; for a command of another user: {HINT}");
    assert!(refused.stderr.contains(&says), "{refused:?}");
    // `run` warns of programs that are known to change the user, because a command without the companion would show no
    // message.
    for (command, warned) in [
        (&["setpriv", "--reuid=60001", "true"][..], true),
        (&["setpriv", "--no-new-privs", "true"], false),
        (&["true"], false),
    ] {
        let args = [&["run", "--"], command].concat();
        let output = place.env.jetond(&args);
        assert_eq!(output.code, 0, "{output:?}");
        assert_eq!(output.stderr.contains(HINT), warned, "{output:?}");
    }
    let output = place.env.jetond(&[
        "run",
        "--allow",
        "60001",
        "--",
        "setpriv",
        "--reuid=60001",
        "true",
    ]);
    assert!(
        output.code == 0 && !output.stderr.contains(HINT),
        "{output:?}"
    );
}

#[test]
fn a_restarted_daemon_of_run_serves_the_same_allowed_user() {
    if !is_root_or_skip("a_restarted_daemon_of_run_serves_the_same_allowed_user") {
        return;
    }
    let place = RunEnv::new();
    let script = format!(
        "d=${{JETON_SOCKET%/*}}
         for pid in $(pgrep -P $PPID jetond); do kill -KILL $pid; done
         rm -r \"$d\"
         {} ready --wait 30 && stat -c %a \"$d\" && {} token research",
        place.as_user(ALICE),
        place.as_user(ALICE)
    );
    let output = place.run(&["--allow", "60001"], &script);
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(output.stdout.lines().next(), Some("711"), "{output:?}");
}

#[test]
fn a_removed_private_folder_is_created_again_for_the_allowed_user() {
    if !is_root_or_skip("a_removed_private_folder_is_created_again_for_the_allowed_user") {
        return;
    }
    let place = RunEnv::new();
    let script = format!(
        "d=${{JETON_SOCKET%/*}}
         rm -r \"${{d%/*}}\"
         n=0; until {alice} token research; do n=$((n + 1)); [ $n -lt 300 ] || exit 9; sleep 0.1; done 2>/dev/null
         stat -c %a \"${{d%/*}}\" \"$d\"
         rm -r \"$d\"
         n=0; until {alice} token research; do n=$((n + 1)); [ $n -lt 300 ] || exit 9; sleep 0.1; done 2>/dev/null
         stat -c %a \"$d\"",
        alice = place.as_user(ALICE),
    );
    let output = place.run(&["--allow", "60001"], &script);
    assert_eq!(output.code, 0, "{output:?}");
    let modes = output.stdout.matches("711\n").count();
    assert_eq!(modes, 3, "{output:?}");
}
