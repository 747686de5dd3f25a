//! Scope of commands: they change what they were asked to change, in the configuration that was given, and nothing
//! else.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::enrol::{add, assert_nothing_written, write_config};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::support::env::Output;

/// Returns the bytes of the configuration and of a profile's record.
fn both(env: &TestEnv, profile: &str) -> (Vec<u8>, Vec<u8>) {
    (
        fs::read(env.config()).unwrap(),
        fs::read(env.record(profile)).unwrap(),
    )
}

fn other_config(env: &TestEnv, text: &str) -> PathBuf {
    let path = env.path("home/other.toml");
    fs::write(&path, text).unwrap();
    path
}

/// Returns the file that records an interrupted removal.
fn intent(env: &TestEnv, profile: &str) -> PathBuf {
    env.path(&format!("state/jeton/removals/{profile}.json"))
}

#[test]
fn options_before_remove_select_the_configuration_that_it_changes() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let before = both(&env, "a");
    let other = other_config(&env, "# none\n");
    let other = other.to_str().unwrap();
    let state = env.path("home/state");
    for (options, code) in [
        (&["--config", other][..], 78),
        (&["--config", other, "--state", state.to_str().unwrap()], 78),
        (&["--socket", "/x/y"], 64),
        (&["--admin-socket", "/x/y"], 64),
        (&["--log-format", "json"], 64),
    ] {
        let removed = env.jetond(&[options, &["remove", "a", "--yes"]].concat());
        assert_eq!(removed.code, code, "{options:?}: {removed:?}");
        assert!(both(&env, "a") == before, "{options:?}");
    }
    let added = env.jetond(&["--config", other, "check"]);
    assert!(added.stdout.starts_with(other), "{added:?}");
    for command in ["demo", "sandbox"] {
        let refused = env.jetond(&["--config", other, command]);
        assert_eq!((refused.code, refused.stdout.as_str()), (64, ""));
    }
}

#[test]
fn a_profile_outside_the_configuration_is_not_removed() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let before = both(&env, "a");
    let other = other_config(&env, "# none\n");
    let removed = env.jetond(&["remove", "a", "--config", other.to_str().unwrap(), "--yes"]);
    assert_eq!(removed.code, 78, "{removed:?}");
    assert!(
        removed.stderr.contains("there is no profile a in ")
            && removed.stderr.contains("nothing is removed"),
        "{removed:?}"
    );
    assert!(both(&env, "a") == before);
    assert!(!intent(&env, "a").exists());
}

#[test]
fn a_removal_needs_a_confirmation() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let before = both(&env, "a");
    let refused = env.jetond(&["remove", "a"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (64, ""));
    for part in [
        "nothing is removed: without a terminal this needs --yes",
        "--yes",
        env.config().to_str().unwrap(),
        env.record("a").to_str().unwrap(),
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    assert!(both(&env, "a") == before);
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(!env.record("a").exists() && !intent(&env, "a").exists());
}

#[test]
fn remove_with_another_state_folder_reports_that_it_has_no_credential() {
    for variable in [false, true] {
        let env = TestEnv::with_sandbox(60);
        env.enrol("a");
        let record = fs::read(env.record("a")).unwrap();
        let other = env.path("home/state");
        let run = |more: &[&str]| {
            let mut command = env.jetond_command(&[&["remove", "a"], more].concat());
            if variable {
                command.env("STATE_DIRECTORY", &other);
            } else {
                command.arg("--state").arg(&other);
            }
            env.finish("jetond remove", command, b"", false)
        };
        let none = format!("there is no credential of it in {}", other.display());
        let asked = run(&[]);
        assert!(
            asked.code == 64 && asked.stderr.contains(&none),
            "{asked:?}"
        );
        assert!(!asked.stderr.contains("a.json"), "{asked:?}");
        let removed = run(&["--yes"]);
        assert_eq!(removed.code, 0, "{removed:?}");
        assert!(removed.stdout.contains(&none), "{removed:?}");
        assert!(!removed.stdout.contains("this machine"), "{removed:?}");
        let text = fs::read_to_string(env.config()).unwrap();
        assert!(!text.contains("profiles.a"), "{text}");
        assert!(fs::read(env.record("a")).unwrap() == record);
        assert!(!other.exists());
    }
}

/// Records an interrupted removal, as it looks before the profile is deleted.
fn begin(env: &TestEnv, profile: &str, config: &Path, store: &str) {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    let folder = env.path("state/jeton/removals");
    let _ = fs::DirBuilder::new().mode(0o700).create(folder);
    let text = format!(
        "{{\"version\":1,\"profile\":\"{profile}\",\"store\":\"{store}\",\"config\":{:?}}}",
        config.canonicalize().unwrap()
    );
    let mut file = fs::OpenOptions::new();
    let file = file.write(true).create(true).truncate(true).mode(0o600);
    let mut file = file.open(intent(env, profile)).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

#[test]
fn an_interrupted_removal_is_completed() {
    for killed_after in ["intent", "profile", "credential"] {
        let env = TestEnv::with_sandbox(60);
        write_config(&env, "# mine\n");
        env.enrol("a");
        begin(&env, "a", &env.config(), "file");
        if killed_after != "intent" {
            fs::write(env.config(), "# mine\n").unwrap();
        }
        if killed_after == "credential" {
            fs::remove_file(env.record("a")).unwrap();
        }
        let refused = env.jetond(&["remove", "a"]);
        assert_eq!(refused.code, 64, "{killed_after}: {refused:?}");
        let says = refused.stderr.contains("which an interrupted removal");
        assert_eq!(says, killed_after != "intent", "{refused:?}");
        let removed = env.jetond(&["remove", "a", "--yes"]);
        assert_eq!(removed.code, 0, "{killed_after}: {removed:?}");
        assert!(!env.record("a").exists() && !intent(&env, "a").exists());
        assert_eq!(fs::read_to_string(env.config()).unwrap(), "# mine\n");
        let again = env.jetond(&["remove", "a", "--yes"]);
        assert_eq!(again.code, 78, "{killed_after}: {again:?}");
    }
}

#[test]
fn an_interrupted_removal_of_another_configuration_touches_nothing() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let other = other_config(&env, "# none\n");
    let record = fs::read(env.record("a")).unwrap();
    begin(&env, "a", &other, "file");
    fs::write(env.config(), "# none\n").unwrap();
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 78, "{removed:?}");
    // The store that this record names has no credential of this name.
    begin(&env, "a", &env.config(), "keyring");
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 78, "{removed:?}");
    // A record that cannot be parsed removes nothing either.
    fs::write(intent(&env, "a"), "{}").unwrap();
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 78, "{removed:?}");
    assert!(fs::read(env.record("a")).unwrap() == record);
}

#[test]
fn an_interrupted_removal_does_not_delete_a_profile_added_again() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    begin(&env, "a", &env.config(), "file");
    fs::write(env.config(), "# none\n").unwrap();
    env.enrol("a");
    assert!(!intent(&env, "a").exists());
    fs::write(env.config(), "# by hand\n").unwrap();
    let removed = env.jetond(&["remove", "a", "--yes"]);
    assert_eq!(removed.code, 78, "{removed:?}");
    assert!(env.record("a").exists());
}

// === several commands at once ===

/// Starts a `jetond add` that waits for its secret on standard input.
pub(crate) fn start_add(env: &TestEnv, name: &str) -> Child {
    let url = env.sandbox().url();
    env.jetond_command(&["add", name, "--provider", "runai", "--url", &url])
        .args(["--client-id", "test-client", "--client-secret-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends the secret and waits for the command to end.
pub(crate) fn finish(env: &TestEnv, mut child: Child, secret: &str) -> Output {
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, secret.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    env.add_output("stdout of jetond add", &output.stdout, false);
    env.add_output("stderr of jetond add", &output.stderr, false);
    Output {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until the command reads its standard input, because by then it has read the configuration.
pub(crate) fn wait_for_prompt(child: &Child) {
    let wchan = format!("/proc/{}/syscall", child.id());
    wait_until("jetond add to read its secret", || {
        // read(2) of descriptor 0.
        fs::read_to_string(&wchan).is_ok_and(|call| call.starts_with("0 0x0 "))
    });
}

#[test]
fn concurrent_enrolments_lose_no_profile() {
    let env = TestEnv::with_sandbox(60);
    let mut names = vec![];
    for round in 0..12 {
        let round: Vec<_> = (0..4).map(|n| format!("p{round}-{n}")).collect();
        let children: Vec<_> = round.iter().map(|name| start_add(&env, name)).collect();
        for child in children {
            let added = finish(&env, child, env.secret());
            assert_eq!(added.code, 0, "{added:?}");
        }
        names.extend(round);
    }
    let text = fs::read_to_string(env.config()).unwrap();
    let lost: Vec<_> = names
        .iter()
        .filter(|name| !text.contains(&format!("[profiles.{name}]")))
        .collect();
    assert!(lost.is_empty() && names.len() == 48, "{lost:?}");
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let left: Vec<_> = fs::read_dir(env.path("config/jeton")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn concurrent_enrolments_of_one_name_have_one_winner() {
    let env = TestEnv::with_sandbox(60);
    for round in 0..4 {
        let name = format!("p{round}");
        let children = [(); 2].map(|()| start_add(&env, &name));
        let ended = children.map(|child| finish(&env, child, env.secret()));
        let mut codes = ended.clone().map(|output| output.code);
        codes.sort_unstable();
        assert_eq!(codes, [0, 78], "{ended:?}");
        let lost = ended.iter().find(|output| output.code == 78).unwrap();
        assert!(
            lost.stderr.contains("was added meanwhile") || lost.stderr.contains("already"),
            "{lost:?}"
        );
        assert_eq!(env.jetond(&["check"]).code, 0);
    }
}

#[test]
fn an_enrolment_does_not_replace_a_profile_added_in_the_meantime() {
    let env = TestEnv::with_sandbox(60);
    let late = start_add(&env, "a");
    wait_for_prompt(&late);
    env.enrol("a");
    let before = both(&env, "a");
    let late = finish(&env, late, env.secret());
    assert_eq!(late.code, 78, "{late:?}");
    assert!(late.stderr.contains("was added meanwhile"), "{late:?}");
    assert!(both(&env, "a") == before);
}

#[test]
fn add_keeps_configuration_changes_made_while_it_asks_a_question() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("shared");
    let text = fs::read_to_string(env.config()).unwrap();
    let rule = "[[profiles.shared.allow]]\nuid = 4242\n";
    fs::write(env.config(), format!("{text}{rule}")).unwrap();
    let mut daemon = env.start();
    let adding = start_add(&env, "other");
    wait_for_prompt(&adding);
    fs::write(env.config(), format!("{text}# revoked\n")).unwrap();
    assert_eq!(env.jeton(&["reload"]).code, 0);
    let added = finish(&env, adding, env.secret());
    assert_eq!(added.code, 0, "{added:?}");
    let now = fs::read_to_string(env.config()).unwrap();
    assert!(now.starts_with(&format!("{text}# revoked\n")), "{now}");
    assert!(
        !now.contains("4242") && now.contains("[profiles.other]"),
        "{now}"
    );

    // A configuration that became invalid is not written to, and the credential is removed again.
    let adding = start_add(&env, "late");
    wait_for_prompt(&adding);
    fs::write(env.config(), format!("{now}\n[profile.typo]\n")).unwrap();
    let refused = finish(&env, adding, env.secret());
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("did you mean profiles?"),
        "{refused:?}"
    );
    assert!(!env.record("late").exists());
    env.stop(&mut daemon);
}

#[test]
fn a_rebind_refuses_a_profile_changed_in_the_meantime() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let record = fs::read(env.record("a")).unwrap();
    let text = fs::read_to_string(env.config()).unwrap();
    for (now, code, says) in [
        (format!("{text}api = \"v1\"\n"), 75, "was changed meanwhile"),
        ("# gone\n".to_owned(), 78, "was removed meanwhile"),
    ] {
        fs::write(env.config(), &text).unwrap();
        let rebinding = env
            .jetond_command(&["add", "a", "--rebind", "--client-id", "test-client"])
            .arg("--client-secret-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_prompt(&rebinding);
        fs::write(env.config(), &now).unwrap();
        let refused = finish(&env, rebinding, env.secret());
        assert_eq!(refused.code, code, "{refused:?}");
        assert!(refused.stderr.contains(says), "{refused:?}");
        assert!(fs::read(env.record("a")).unwrap() == record);
    }
}

#[test]
fn add_waits_for_a_held_configuration_lock_and_then_reports_it() {
    let env = TestEnv::with_sandbox(60);
    write_config(&env, "# mine\n");
    let lock = env.path("config/jeton/.jeton.lock");
    let held = fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let waited = add(&env, "a", &[]);
    assert_eq!(waited.code, 75, "{waited:?}");
    let find = format!("fuser -v {}", lock.display());
    assert!(!waited.stderr.contains("remove"), "{waited:?}");
    for part in ["another process is changing it: another jetond", &find] {
        assert!(waited.stderr.contains(part), "{part}: {waited:?}");
    }
    assert!(!env.record("a").exists());
    assert_eq!(fs::read_to_string(env.config()).unwrap(), "# mine\n");
    held.unlock().unwrap();
    assert_eq!(add(&env, "a", &[]).code, 0);
    assert!(!lock.exists());
}

#[test]
fn add_refuses_a_name_whose_credential_belongs_to_another_configuration() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let before = both(&env, "a");
    let other = env.path("home/other.toml");
    let other = other.to_str().unwrap();
    let refused = add(&env, "a", &["--config", other]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains(env.config().to_str().unwrap())
            && refused.stderr.contains("another state"),
        "{refused:?}"
    );
    assert!(both(&env, "a") == before && !Path::new(other).exists());
    // The folder is inside the one in which the search for leaks allows secrets.
    let state = env.path("state/jeton/credentials/elsewhere");
    let state = state.to_str().unwrap();
    assert_eq!(
        add(&env, "a", &["--config", other, "--state", state]).code,
        0
    );
    assert!(both(&env, "a") == before);
}

// === the running daemon ===

#[test]
fn add_does_not_claim_that_a_daemon_with_another_state_has_read_the_profile() {
    let env = TestEnv::with_sandbox(60);
    let mut daemon = env.start();
    let state = env.path("state/jeton/credentials/elsewhere");
    let state = state.to_str().unwrap();
    let added = add(&env, "a", &["--state", state]);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(
        added.stderr.contains("another configuration or state")
            && added
                .stderr
                .contains(&format!("jetond run --state {state}"))
            && !added.stdout.contains("has read it"),
        "{added:?}"
    );
    // The daemon was not asked to reload.
    assert!(!daemon.log().contains("reloaded"), "{}", daemon.log());
    let removed = env.jetond(&["remove", "a", "--state", state, "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(!removed.stdout.contains("has read it"), "{removed:?}");

    // Another path to the same configuration is recognized.
    std::os::unix::fs::symlink(env.path("config"), env.path("home/link")).unwrap();
    let link = env.path("home/link/jeton/../jeton/config.toml");
    let added = add(&env, "b", &["--config", link.to_str().unwrap()]);
    assert!(
        added.stdout.ends_with("the running daemon has read it\n"),
        "{added:?}"
    );
    env.token(&daemon, "b");
    env.stop(&mut daemon);
}

#[test]
fn a_reload_reports_which_configuration_was_read() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let mut daemon = env.start();
    let ask = |body: &str| {
        let headers = [("Content-Type", "application/json")];
        env.request(
            &daemon.admin,
            "POST",
            "/v1/reload",
            &headers,
            body.as_bytes(),
        )
    };
    let told = ask("{}").json();
    let real = |path: PathBuf| path.canonicalize().unwrap();
    assert_eq!(told["kept"], 1);
    assert_eq!(told["config"], real(env.config()).to_str().unwrap());
    assert_eq!(
        told["state"],
        real(env.path("state/jeton")).to_str().unwrap()
    );
    let source = told["source"].as_str().unwrap();
    assert_eq!(ask(&format!("{{\"source\":\"{source}\"}}")).status, 200);
    let other = ask("{\"source\":\"1:2:x 3:4:y\"}");
    assert_eq!((other.status, other.code().as_str()), (409, "conflict"));
    assert_eq!(ask("{\"sauce\":1}").status, 400);
    assert_eq!(ask("").json().get("config"), None);
    env.stop(&mut daemon);
}

#[test]
fn add_does_not_claim_that_a_daemon_of_an_old_version_has_read_the_profile() {
    let env = TestEnv::with_sandbox(60);
    fs::create_dir_all(env.path("run/jeton-admin")).unwrap();
    let admin = env.path("run/jeton-admin/admin.sock");
    let listener = std::os::unix::net::UnixListener::bind(&admin).unwrap();
    // An answer of an earlier version.
    let old = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let n = std::io::Read::read(&mut stream, &mut request).unwrap();
        let answer =
            "HTTP/1.0 200 OK\r\n\r\n{\"added\":1,\"removed\":0,\"changed\":0,\"kept\":0}\n";
        std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..n]).into_owned()
    });
    let added = add(&env, "a", &[]);
    assert!(old.join().unwrap().starts_with("POST /v1/reload "));
    assert_eq!(added.code, 0, "{added:?}");
    assert!(
        added.stderr.contains("does not say which") && !added.stdout.contains("has read it"),
        "{added:?}"
    );
}

#[test]
fn removing_an_unknown_profile_creates_no_files() {
    let env = TestEnv::new();
    assert_eq!(env.jetond(&["remove", "a", "--yes"]).code, 78);
    assert_nothing_written(&env);
}
