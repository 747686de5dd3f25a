//! Credential sources: credentials that Jeton only reads, from where the configuration says.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod commands;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use jetond::credential::ClientSecret;
use jetond::sandbox::{Line, Options, Sandbox};
use tempfile::TempDir;

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

/// Returns the configuration of a profile `research` at the sandbox, with its client ID and secret from these sources.
pub(crate) fn profile(env: &TestEnv, id: &str, secret: &str) -> String {
    let url = env.sandbox().url();
    format!(
        "[profiles.research]\nprovider = \"runai\"\nurl = \"{url}\"\nclient-id = {id}\nclient-secret = {secret}\n"
    )
}

fn file(path: &Path) -> String {
    format!("{{ file = \"{}\" }}", path.display())
}

#[test]
fn a_daemon_reads_its_credential_from_files_and_check_says_so() {
    let env = TestEnv::with_sandbox(60);
    let id = env.path("id");
    fs::write(&id, "test-client\r\n").unwrap();
    let secret = env.secret_file();
    write_config(&env, profile(&env, &file(&id), &file(&secret)));
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let says = format!(
        "client test-client, credential from the file {}",
        secret.display()
    );
    assert!(checked.stdout.contains(&says), "{checked:?}");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    assert!(env.sandbox().issued().contains(&token));
    assert!(!env.record("research").exists());
    env.stop(&mut daemon);
}

#[test]
fn a_profile_with_a_source_is_removed_and_its_source_stays() {
    let env = TestEnv::with_sandbox(60);
    let secret = env.secret_file();
    write_config(&env, profile(&env, "\"test-client\"", &file(&secret)));
    let removed = env.jetond(&["remove", "research", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    let says = format!("stays where it comes from: the file {}", secret.display());
    assert!(
        removed.stderr.contains(&says) || removed.stdout.contains(&says),
        "{removed:?}"
    );
    assert!(
        !fs::read_to_string(env.config())
            .unwrap()
            .contains("research")
    );
    assert!(secret.exists());
}

/// Returns the file that records the endpoint to which the credential of `research` is bound.
fn binding(env: &TestEnv) -> PathBuf {
    env.path("state/jeton/bindings/research.json")
}

/// Writes a configuration with the same profile at another address.
fn at(env: &TestEnv, other: &Sandbox, secret: &str) {
    let profile = profile(env, "\"test-client\"", secret);
    write_config(env, profile.replace(&env.sandbox().url(), &other.url()));
}

/// Starts another control plane that accepts the same credential.
fn another(env: &TestEnv) -> Sandbox {
    let secret = ClientSecret::parse(env.secret()).unwrap();
    let options = Options::new(Line::V2_24, "test-client", secret);
    env.block_on(Sandbox::start(options)).unwrap()
}

fn reload(env: &TestEnv, daemon: &Daemon) {
    let reloaded = env.request(&daemon.admin, "POST", "/v1/reload", &[], b"");
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
}

const TOKEN: &str = "/v1/profiles/research/token?min_valid=1&max_wait=5";

#[test]
fn a_source_is_bound_at_first_use_until_a_rebind() {
    let env = TestEnv::with_sandbox(60);
    let secret = file(&env.secret_file());
    write_config(&env, profile(&env, "\"test-client\"", &secret));
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let says = "research: where its credential may be sent is recorded at its first use";
    assert!(checked.stdout.contains(says), "{checked:?}");
    assert!(!binding(&env).exists(), "a check records nothing");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let recorded = fs::read_to_string(binding(&env)).unwrap();
    assert!(recorded.contains(&env.sandbox().url()) && !recorded.contains(env.secret()));

    let other = another(&env);
    at(&env, &other, &secret);
    reload(&env, &daemon);
    let refused = env.get(&daemon, TOKEN);
    assert_eq!(
        (refused.status, refused.code()),
        (409, "binding_changed".to_owned())
    );
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 78, "{checked:?}");
    for says in [
        "the address (url, token-url or issuer) was ",
        &other.url(),
        "jetond add research --rebind",
    ] {
        assert!(checked.stderr.contains(says), "{says}: {checked:?}");
    }
    // A restart does not circumvent the check.
    env.stop(&mut daemon);
    let mut daemon = env.start();
    assert_eq!(env.get(&daemon, TOKEN).code(), "binding_changed");
    assert!(other.requests().is_empty());

    let rebound = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    for says in [
        format!("recorded: runai at {}", env.sandbox().url()),
        format!("now: runai at {}", other.url()),
    ] {
        assert!(rebound.stdout.contains(&says), "{says}: {rebound:?}");
    }
    let token = env.token(&daemon, "research");
    assert!(other.issued().contains(&token));
    assert_eq!(env.jetond(&["check"]).code, 0);
    env.stop(&mut daemon);
}

#[test]
fn a_failed_rebind_records_nothing() {
    let env = TestEnv::with_sandbox(60);
    let secret = env.secret_file();
    write_config(&env, profile(&env, "\"test-client\"", &file(&secret)));
    let path = secret.to_str().unwrap();
    let given = env.jetond(&["add", "research", "--rebind", "--client-secret-file", path]);
    assert_eq!(given.code, 64, "{given:?}");
    assert!(
        given.stderr.contains("so it is not given here"),
        "{given:?}"
    );
    let stranger = ClientSecret::parse("another secret").unwrap();
    env.sandbox().set_secret(stranger);
    let refused = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    fs::write(&secret, "\n").unwrap();
    let empty = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(empty.code, 78, "{empty:?}");
    assert!(empty.stderr.contains("gives nothing"), "{empty:?}");
    assert!(!binding(&env).exists());
}

#[test]
fn a_kubernetes_secret_is_read_again_after_a_swap() {
    let mut env = TestEnv::with_sandbox(60);
    // Outside the test environment's folder, in which every file is searched for secrets.
    let beside = TempDir::new().unwrap();
    let volume = beside.path().to_owned();
    let write = |env: &TestEnv, data: &str| {
        let folder = volume.join(data);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("secret"), env.secret()).unwrap();
        // As the kubelet does it: it creates the link under another name and renames it.
        symlink(data, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    };
    write(&env, "..2026_11_30_1");
    symlink("..data/secret", volume.join("secret")).unwrap();
    let source = file(&volume.join("secret"));
    write_config(&env, profile(&env, "\"test-client\"", &source));
    let mut daemon = env.start();
    let first = env.token(&daemon, "research");
    env.replace_secret();
    write(&env, "..2026_11_30_2");
    fs::remove_dir_all(volume.join("..2026_11_30_1")).unwrap();
    reload(&env, &daemon);
    wait_until("a token for the new secret", || {
        env.token(&daemon, "research") != first
    });
    assert_eq!(env.sandbox().stats().rejected, 0);
    env.stop(&mut daemon);
}

#[test]
fn an_empty_source_is_reported_by_daemon_check_and_doctor() {
    let env = TestEnv::with_sandbox(60);
    let secret = env.secret_file();
    fs::write(&secret, "").unwrap();
    write_config(&env, profile(&env, "\"test-client\"", &file(&secret)));
    let mut daemon = env.start();
    let says = "client-secret: its source gives nothing, where a client secret should be";
    let refused = env.get(&daemon, TOKEN);
    assert_eq!(
        (refused.status, refused.code()),
        (503, "misconfigured".to_owned())
    );
    daemon.wait_for_log(says);
    for command in ["check", "doctor"] {
        let told = env.jetond(&[command]);
        assert_ne!(told.code, 0, "{told:?}");
        assert!(format!("{told:?}").contains(says), "{told:?}");
    }
    env.stop(&mut daemon);
}

#[test]
fn a_source_that_is_too_large_or_not_a_regular_file_is_reported_without_a_wait() {
    let env = TestEnv::with_sandbox(60);
    let (fifo, large) = (env.path("fifo"), env.path("large"));
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let hole = fs::File::create(&large).unwrap();
    hole.set_len(1 << 30).unwrap();
    let folder = env.path("folder");
    fs::create_dir(&folder).unwrap();
    let secret = env.secret_file();
    for (bad, says) in [
        (&fifo, "it is not a regular file"),
        (&folder, "it is not a regular file"),
        (&large, "it is larger than 65536 bytes"),
    ] {
        for config in [
            profile(&env, "\"test-client\"", &file(bad)),
            profile(&env, &file(bad), &file(&secret)),
        ] {
            write_config(&env, config);
            for command in ["check", "doctor"] {
                let told = env.jetond(&[command]);
                assert_ne!(told.code, 0, "{told:?}");
                assert!(format!("{told:?}").contains(says), "{says}: {told:?}");
            }
            let mut daemon = env.start();
            assert_eq!(env.get(&daemon, TOKEN).code(), "misconfigured");
            daemon.wait_for_log(says);
            env.stop(&mut daemon);
        }
    }
    // The folder of the test is searched for secrets, and this file would take long.
    fs::remove_file(large).unwrap();
}

#[test]
fn a_systemd_credential_is_read_where_systemd_passes_it() {
    let env = TestEnv::with_sandbox(60);
    let beside = TempDir::new().unwrap();
    let folder = beside.path();
    fs::rename(env.secret_file(), folder.join("ci.secret")).unwrap();
    let source = "{ systemd-credential = \"ci.secret\" }";
    write_config(&env, profile(&env, "\"test-client\"", source));
    let mut command = env.jetond_command(&["run"]);
    command.env("CREDENTIALS_DIRECTORY", folder);
    let mut daemon = env.start_command(command);
    env.token(&daemon, "research");
    // systemd passes the credential only to the service, not to a command.
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let says = "research: the systemd credential ci.secret was not read";
    assert!(checked.stdout.contains(says), "{checked:?}");
    env.stop(&mut daemon);
    let mut daemon = env.start();
    let refused = env.get(&daemon, TOKEN);
    assert_eq!(refused.code(), "misconfigured");
    daemon.wait_for_log("LoadCredential=ci.secret:/PATH");
    env.stop(&mut daemon);
}

#[test]
fn a_removal_deletes_the_binding() {
    let env = TestEnv::with_sandbox(60);
    let secret = file(&env.secret_file());
    write_config(&env, profile(&env, "\"test-client\"", &secret));
    let mut daemon = env.start();
    env.token(&daemon, "research");
    env.stop(&mut daemon);
    let left = fs::read(binding(&env)).unwrap();
    assert_eq!(env.jetond(&["remove", "research", "--yes"]).code, 0);
    assert!(!binding(&env).exists());
    fs::write(binding(&env), left).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(binding(&env), mode).unwrap();
    let checked = env.jetond(&["check"]);
    let says = format!(
        "{}: this file records a credential source that no profile of ",
        binding(&env).display()
    );
    assert!(checked.stderr.contains(&says), "{checked:?}");
}
