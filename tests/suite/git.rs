//! git's credential helper: the protocol over pipes, and the versions of git on this machine.

mod server;
mod setup;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::Value;
use server::{Scheme, Server};

use crate::support::daemon::Daemon;
use crate::support::env::Output;
use crate::support::{TestEnv, ignored};

const JETON: &str = env!("CARGO_BIN_EXE_jeton");

/// The first lines of a message from git 2.46 or later.
const MODERN: &str = "capability[]=authtype\ncapability[]=state\n";

/// A test environment whose profile `research` has these lines in its entry of `hosts`.
fn set_up(entry: &str) -> TestEnv {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    bind(&env, "research", entry);
    env
}

fn bind(env: &TestEnv, profile: &str, entry: &str) {
    let mut config = OpenOptions::new().append(true).open(env.config()).unwrap();
    writeln!(config, "\n[[profiles.{profile}.hosts]]\n{entry}").unwrap();
}

/// Runs the helper as git does.
fn helper(env: &TestEnv, operation: &str, message: &str) -> Output {
    let mut command = env.command(JETON);
    command.args(["git", operation]);
    env.finish("jeton git", command, message.as_bytes(), operation == "get")
}

/// Returns the helper's answer by key.
fn answer(output: &Output) -> Vec<(&str, &str)> {
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let lines = output.stdout.lines().take_while(|line| !line.is_empty());
    lines.map(|line| line.split_once('=').unwrap()).collect()
}

fn value<'a>(answer: &[(&'a str, &'a str)], key: &str) -> Option<&'a str> {
    let mut found = answer.iter().filter(|(name, _)| *name == key);
    found.next().map(|(_, value)| *value)
}

fn profile(env: &TestEnv, daemon: &Daemon) -> Value {
    env.get(daemon, "/v1/profiles/research").json()
}

fn reports(env: &TestEnv, daemon: &Daemon) -> u64 {
    profile(env, daemon)["counts"]["reports"].as_u64().unwrap()
}

#[test]
fn an_erase_counts_as_a_report_only_with_the_state_and_a_bearer_challenge() {
    let env = set_up("url = \"https://git.example/team\"");
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    let here = "protocol=https\nhost=git.example\npath=team/x.git\n";
    let got = helper(&env, "get", &format!("{MODERN}{here}"));
    let got = answer(&got);
    assert_eq!(value(&got, "authtype"), Some("Bearer"));
    assert_eq!(value(&got, "credential"), Some(held.as_str()));
    assert_eq!(value(&got, "password"), Some(held.as_str()));
    assert_eq!(value(&got, "username"), Some("oauth2"));
    assert_eq!(value(&got, "ephemeral"), Some("1"));
    let state = value(&got, "state[]").unwrap();
    let json = profile(&env, &daemon);
    assert_eq!(state, format!("jeton:{}", json["generation"]));
    let expiry: u64 = value(&got, "password_expiry_utc").unwrap().parse().unwrap();
    assert!(expiry <= json["expires_at"].as_u64().unwrap(), "{expiry}");
    assert!(expiry > crate::support::unix_now(), "{expiry}");

    let stored = format!("{here}username=oauth2\npassword={held}\n");
    let silent = helper(&env, "store", &stored);
    assert_eq!(
        (silent.code, silent.stdout, silent.stderr),
        (0, String::new(), String::new())
    );
    let sent =
        format!("authtype=Bearer\ncredential={held}\n{here}username=oauth2\npassword={held}\n");
    let erase = |lines: &str| {
        let silent = helper(&env, "erase", &format!("{MODERN}{sent}{lines}"));
        assert_eq!(
            (silent.code, silent.stdout, silent.stderr),
            (0, String::new(), String::new())
        );
    };
    erase("");
    erase("wwwauth[]=Bearer realm=\"x\"\n");
    erase(&format!("wwwauth[]=Basic realm=\"x\"\nstate[]={state}\n"));
    assert_eq!(reports(&env, &daemon), 0);
    assert_eq!(env.token(&daemon, "research"), held, "nothing is deleted");
    erase(&format!("wwwauth[]=Bearer realm=\"x\"\nstate[]={state}\n"));
    assert_eq!(reports(&env, &daemon), 1);
    let next = helper(&env, "get", here);
    let next = answer(&next);
    assert_ne!(value(&next, "password"), Some(held.as_str()));
    assert_eq!(
        value(&next, "state[]"),
        None,
        "the request did not offer the state capability"
    );
    env.stop(&mut daemon);
}

#[test]
fn an_erase_by_an_old_git_counts_only_for_an_entry_with_basic_auth() {
    let env = set_up("url = \"https://basic.example\"\nauth = \"basic\"");
    bind(&env, "research", "url = \"https://plain.example\"");
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    let erase = |host: &str, password: &str| {
        let message =
            format!("protocol=https\nhost={host}\nusername=oauth2\npassword={password}\n");
        let silent = helper(&env, "erase", &message);
        assert_eq!(
            (silent.code, silent.stdout, silent.stderr),
            (0, String::new(), String::new())
        );
        reports(&env, &daemon)
    };
    assert_eq!(erase("plain.example", &held), 0);
    assert_eq!(erase("other.example", &held), 0);
    assert_eq!(erase("basic.example", "typed by a person"), 0);
    assert_eq!(erase("basic.example", &held), 1);
    env.stop(&mut daemon);
}

#[test]
fn an_erase_reports_a_token_only_to_its_own_profile() {
    let env = set_up("url = \"https://git.example/team\"");
    env.enrol("ci");
    bind(&env, "ci", "url = \"https://git.example\"");
    let mut daemon = env.start();
    let here = "protocol=https\nhost=git.example\npath=team/x.git\n";
    let tell = |profile: &str, operation: &str, message: &str| {
        let mut command = env.command(JETON);
        command.args(["git", profile, operation]);
        env.finish("jeton git", command, message.as_bytes(), operation == "get")
    };
    let generation = |profile: &str| {
        env.token(&daemon, profile);
        let state = env.get(&daemon, &format!("/v1/profiles/{profile}")).json();
        state["generation"].clone()
    };
    let got = tell("ci", "get", &format!("{MODERN}{here}"));
    let sent: String = answer(&got)
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    // git sends this message to all of its helpers. The tokens of two profiles may have the same generation.
    let (ci, research) = (generation("ci"), generation("research"));
    let same = sent.replace(&format!("jeton:{ci}\n"), &format!("jeton:{research}\n"));
    for (profile, sent) in [("ci", &sent), ("research", &same)] {
        let told = format!("{MODERN}{here}{sent}wwwauth[]=Bearer\n");
        let silent = tell(profile, "erase", &told);
        assert_eq!((silent.code, silent.stdout.as_str()), (0, ""), "{silent:?}");
    }
    assert_eq!(
        reports(&env, &daemon),
        0,
        "a report of another profile's token counts"
    );
    let of_ci = env.get(&daemon, "/v1/profiles/ci").json();
    assert_eq!(of_ci["counts"]["reports"], 1);
    env.stop(&mut daemon);
}

#[test]
fn an_address_without_a_matching_entry_gets_one_error_line() {
    let env = set_up("url = \"https://git.example/team\"");
    let mut daemon = env.start();
    for (message, exit) in [
        // Without credential.useHttpPath, git sends no path.
        ("protocol=https\nhost=git.example\n", 78),
        ("protocol=https\nhost=git.example\npath=teams/x.git\n", 78),
        (
            "protocol=https\nhost=git.example:8443\npath=team/x.git\n",
            78,
        ),
        ("protocol=https\nhost=other.example\npath=team/x.git\n", 78),
        ("protocol=http\nhost=git.example\npath=team/x.git\n", 64),
        ("protocol=https\nhost=git.example.\npath=team/x.git\n", 64),
        ("protocol=https\nhost=git.example\rhost=evil.example\n", 64),
        ("protocol=https\nhost=git.example\npath=team/%2e%2e/x\n", 64),
        ("", 64),
    ] {
        let refused = helper(&env, "get", message);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (exit, ""),
            "{message:?}"
        );
        let line = refused.stderr.trim_end();
        assert!(
            line.starts_with("jeton: ") && !line.contains("evil"),
            "{line}"
        );
        assert!(line.chars().all(|c| !c.is_control()), "{line:?}");
    }
    env.stop(&mut daemon);
}

#[test]
fn eight_processes_at_once_get_the_right_token_each_time() {
    gets(2_000);
}

#[test]
#[ignore = "the whole run, which takes a minute: cargo test --test suite git:: -- --ignored"]
fn eight_processes_get_the_right_token_ten_thousand_times() {
    gets(10_000);
}

/// Runs the helper this many times in total, from eight threads at once.
fn gets(total: usize) {
    let env = set_up("url = \"https://git.example\"");
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    let message = format!("{MODERN}protocol=https\nhost=git.example\n");
    let run = || {
        let mut command = env.command(JETON);
        command.args(["git", "get"]);
        (command, message.clone(), format!("\npassword={held}\n"))
    };
    let runners = (0..8).map(|_| {
        let mut commands: Vec<_> = (0..total / 8).map(|_| run()).collect();
        thread::spawn(move || {
            for (command, message, want) in &mut commands {
                let output = piped(command, message.as_bytes());
                let printed = String::from_utf8(output.stdout).unwrap();
                assert!(output.status.success() && output.stderr.is_empty());
                assert!(printed.contains(want.as_str()), "another token");
            }
        })
    });
    for runner in runners.collect::<Vec<_>>() {
        runner.join().unwrap();
    }
    env.stop(&mut daemon);
}

fn piped(command: &mut Command, input: &[u8]) -> std::process::Output {
    use std::process::Stdio;
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

// === With the gits of this machine ===

/// Returns up to two versions of git on this machine, each with whether it is 2.46 or later. Earlier ones only know a
/// user name and a password.
pub(crate) fn gits() -> Vec<(PathBuf, bool)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folders = std::env::split_paths(&path)
        .chain(["/usr/bin", "/usr/local/bin"].map(PathBuf::from))
        .chain(["git-2.39", "git-2.47"].map(|name| installed.join(name)));
    let found: Vec<_> = folders
        .map(|folder| folder.join("git"))
        .filter_map(|git| Some((minor(&git)? >= 46, git)))
        .collect();
    let mut gits = vec![];
    for (is_modern, version) in [(false, "below 2.46"), (true, "of at least 2.46")] {
        match found.iter().find(|(modern, _)| *modern == is_modern) {
            Some((_, git)) => gits.push((git.clone(), is_modern)),
            None => ignored(&format!("there is no git {version}: run .ci/tools")),
        }
    }
    gits
}

/// Returns the minor version of a git 2.
fn minor(git: &Path) -> Option<u32> {
    let output = Command::new(git).arg("--version").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    let version = version.trim_end().strip_prefix("git version 2.")?;
    version.split('.').next()?.parse().ok()
}

/// Runs git in the test environment, without prompts and without the machine's configuration.
fn git(env: &TestEnv, program: &Path, args: &[&str]) -> Output {
    let mut command = env.command(program);
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .args(args);
    env.finish("git", command, b"", false)
}

/// A test environment with a server that accepts the token. The entry has these lines beside the address.
fn serving(scheme: Scheme, entry: &str) -> (TestEnv, Server, Daemon) {
    let server = Server::start(scheme);
    let env = set_up(&format!("url = \"{}\"\n{entry}", server.url));
    let daemon = env.start();
    server.take(&env.token(&daemon, "research"));
    (env, server, daemon)
}

fn ls_remote(env: &TestEnv, program: &Path, server: &Server) -> Output {
    let helper = format!("credential.helper={JETON} git");
    let address = format!("{}/team/x.git", server.url);
    git(env, program, &["-c", &helper, "ls-remote", &address])
}

#[test]
fn each_git_authenticates_in_a_scheme_that_the_server_accepts() {
    for (program, is_modern) in gits() {
        for (scheme, entry, sent) in [
            (Scheme::Basic, "", Some("Basic oauth2")),
            (Scheme::Basic, "auth = \"basic\"", Some("Basic oauth2")),
            (Scheme::Bearer, "", Some("Bearer").filter(|_| is_modern)),
            (
                Scheme::Bearer,
                "auth = \"bearer\"",
                Some("Bearer").filter(|_| is_modern),
            ),
        ] {
            let (env, server, mut daemon) = serving(scheme, entry);
            let output = ls_remote(&env, &program, &server);
            let what = format!("{} {scheme:?} {entry}", program.display());
            assert_eq!(output.code == 0, sent.is_some(), "{what}: {output:?}");
            assert_eq!(server.sent(), ["", sent.unwrap_or_default()], "{what}");
            assert_eq!(reports(&env, &daemon), 0, "{what}");
            env.stop(&mut daemon);
        }
    }
}

#[test]
fn a_token_rejected_by_the_server_is_replaced_only_if_git_reports_it() {
    for (program, is_modern) in gits() {
        for (scheme, entry, is_reported) in [
            (Scheme::Basic, "", is_modern),
            (Scheme::Basic, "auth = \"basic\"", true),
            (Scheme::Bearer, "", is_modern),
            // The entry makes git send a scheme that the server does not accept. The server's challenge shows that, and
            // git passes it on.
            (Scheme::Basic, "auth = \"bearer\"", false),
            // An earlier git passes on no challenges. Its report counts only if the entry names that scheme.
            (Scheme::Bearer, "auth = \"basic\"", !is_modern),
        ] {
            let (env, server, mut daemon) = serving(scheme, entry);
            server.take("another one");
            let what = format!("{} {scheme:?} {entry}", program.display());
            assert_ne!(ls_remote(&env, &program, &server).code, 0, "{what}");
            // One git process erases a token only once.
            assert_eq!(
                reports(&env, &daemon),
                u64::from(is_reported),
                "{what}: {:?}",
                server.sent()
            );
            env.stop(&mut daemon);
        }
    }
}

#[test]
fn an_old_git_that_cannot_send_bearer_reports_no_token_as_rejected() {
    fetches(20);
}

#[test]
#[ignore = "the whole run, which takes minutes: cargo test --test suite git:: -- --ignored"]
fn an_old_git_reports_no_token_as_rejected_in_a_thousand_fetches() {
    fetches(1_000);
}

/// Fetches this many times from a server that accepts only Bearer, with a git earlier than 2.46. That git erases each
/// token.
fn fetches(times: usize) {
    let Some((program, _)) = gits().into_iter().find(|(_, is_modern)| !is_modern) else {
        return;
    };
    for entry in ["", "auth = \"bearer\""] {
        let (env, server, mut daemon) = serving(Scheme::Bearer, entry);
        let before = profile(&env, &daemon);
        let home = env.path("home");
        let init = git(&env, &program, &["init", "-q", "."]);
        assert_eq!(init.code, 0, "{init:?} {}", home.display());
        let helper = format!("credential.helper={JETON} git");
        let address = format!("{}/team/x.git", server.url);
        for _ in 0..times / 2 {
            let fetched = git(&env, &program, &["-c", &helper, "fetch", "-q", &address]);
            assert_ne!(fetched.code, 0, "{fetched:?}");
        }
        let after = profile(&env, &daemon);
        assert_eq!(
            server.sent().len(),
            times / 2 * 2,
            "each fetch makes one more request"
        );
        assert_eq!(after["counts"]["reports"], 0);
        assert_eq!(after["generation"], before["generation"]);
        env.stop(&mut daemon);
    }
}

#[test]
fn an_entry_with_basic_auth_for_a_bearer_server_causes_few_refreshes() {
    for (program, is_modern) in gits() {
        let (env, server, mut daemon) = serving(Scheme::Bearer, "auth = \"basic\"");
        let before = env.sandbox().stats().token_requests;
        for _ in 0..30 {
            assert_ne!(ls_remote(&env, &program, &server).code, 0);
        }
        // git reports this case just like a server that rejects the token.
        let refreshes = env.sandbox().stats().token_requests - before;
        let most = if is_modern { 0 } else { 3 };
        assert!(refreshes <= most, "{refreshes}");
        assert!(server.sent().iter().all(String::is_empty));
        env.stop(&mut daemon);
    }
}
