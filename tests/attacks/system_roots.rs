//! System roots: the certificates that the system trusts come from the system's files only. No environment variable
//! changes that, neither at an enrolment nor in the daemon.

use std::fs;
use std::path::Path;
use std::process::Command;

use jetond::sandbox::Line;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::env::Output;
use crate::support::mounts::can_mount_or_skip;

const VARIABLES: [&str; 4] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
];

/// A test environment with a TLS issuer. Returns the file with the issuer's CA, and a file with another CA.
fn encrypted() -> (TestEnv, String, String) {
    let mut env = TestEnv::new();
    let issuer = env.add_sandbox_that(Line::V2_24, 600, |options| options.tls = true);
    let other = env.add_sandbox_that(Line::V2_24, 600, |options| options.tls = true);
    let (ca, other) = (env.ca_file(issuer).unwrap(), env.ca_file(other).unwrap());
    (env, ca, other)
}

fn add_args(env: &TestEnv) -> Vec<String> {
    let (url, secret) = (env.sandbox().url(), env.secret_file());
    let args = [
        "add",
        "research",
        "--provider",
        "runai",
        "--url",
        &url,
        "--client-id",
        "test-client",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ];
    args.map(str::to_owned).to_vec()
}

fn with_variables(mut command: Command, value: &str) -> Command {
    for name in VARIABLES {
        command.env(name, value);
    }
    command
}

/// Returns a `jetond` command on a system that trusts exactly the roots in this file.
fn in_system(env: &TestEnv, roots: &str, args: &[String]) -> Command {
    let script = format!(
        "set -e
        mkdir -p /etc/ssl/certs
        mount -t tmpfs tmpfs /etc/ssl
        mkdir /etc/ssl/certs
        for d in /etc/pki /var/lib/ca-certificates /usr/local/share/certs /usr/local/etc/ssl /etc/ca-certificates; do
            if test -d $d; then mount -t tmpfs tmpfs $d; fi
        done
        cp '{roots}' /etc/ssl/certs/ca-certificates.crt
        exec \"$@\""
    );
    let mut command = env.command("unshare");
    command
        .args([
            "-m",
            "sh",
            "-c",
            &script,
            "sh",
            env!("CARGO_BIN_EXE_jetond"),
        ])
        .args(args);
    command
}

/// Replaces the system roots of a running daemon.
fn exchange(env: &TestEnv, daemon: &Daemon, roots: &str) {
    let mut command = env.command("nsenter");
    let script = format!(
        "cp '{roots}' /etc/ssl/certs/new && mv /etc/ssl/certs/new /etc/ssl/certs/ca-certificates.crt"
    );
    command.args([
        "-t",
        &daemon.child.id().to_string(),
        "-m",
        "sh",
        "-c",
        &script,
    ]);
    assert!(command.status().unwrap().success());
}

fn refresh(env: &TestEnv, daemon: &Daemon) {
    let target = "/v1/profiles/research/refresh";
    let _ = env.request(&daemon.socket, "POST", target, &[], b"");
}

fn last_fault(env: &TestEnv, daemon: &Daemon) -> String {
    let status = env.get(daemon, "/v1/profiles/research").json();
    status["last_fault"]["kind"]
        .as_str()
        .unwrap_or("")
        .to_owned()
}

#[test]
fn a_certificate_variable_is_ignored_and_reported() {
    let (env, ca, _) = encrypted();
    let folder = env.path("home/certificates");
    fs::create_dir(&folder).unwrap();
    fs::copy(&ca, folder.join("ca.pem")).unwrap();
    let folder = folder.to_str().unwrap();
    let offers = |out: &Output, name: &str, offer: &str| {
        assert!(
            out.stderr
                .contains(&format!("{name} is set and decides nothing")),
            "{out:?}"
        );
        assert!(out.stderr.contains(offer), "{offer}: {out:?}");
    };
    let option = format!("--ca-file {ca}");
    for (name, value, offer) in [
        ("SSL_CERT_FILE", ca.as_str(), option.as_str()),
        ("SSL_CERT_DIR", folder, "name that by --ca-file"),
        ("REQUESTS_CA_BUNDLE", &ca, &option),
        ("CURL_CA_BUNDLE", &ca, &option),
    ] {
        let args = add_args(&env);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = env.jetond_command(&args);
        command.env(name, value);
        let refused = env.finish("jetond", command, b"", false);
        assert_eq!(refused.code, 78, "{refused:?}");
        offers(&refused, name, offer);
        assert!(!env.record("research").exists());
    }
    // If no variable is set, no message mentions one. With a CA file, the enrolment succeeds.
    let refused = env.try_enrol_at("research", &env.sandbox().url());
    assert!(!refused.stderr.contains("decides nothing"), "{refused:?}");
    assert_eq!(env.sandbox().stats().token_requests, 0);
    let added = env.try_enrol_with("research", &env.sandbox().url(), &["--ca-file", &ca]);
    assert_eq!(added.code, 0, "{added:?}");
    // check and doctor report it for an existing profile.
    let text = fs::read_to_string(env.config()).unwrap();
    let text: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("ca-file"))
        .collect();
    fs::write(env.config(), text.join("\n") + "\n").unwrap();
    for args in [&["check"][..], &["doctor"]] {
        let run = |set: bool| {
            let mut command = env.jetond_command(args);
            if set {
                command.env("SSL_CERT_FILE", &ca);
            }
            let out = env.finish("jetond", command, b"", false);
            out.stdout + &out.stderr
        };
        let said = run(true);
        assert!(
            said.contains("SSL_CERT_FILE is set and decides nothing"),
            "{said}"
        );
        assert!(said.contains(&option), "{said}");
        assert!(!run(false).contains("decides nothing"));
    }
}

#[test]
fn the_systems_roots_count_regardless_of_variables() {
    if !can_mount_or_skip("the system's roots") || !Path::new("/usr/bin/nsenter").exists() {
        return;
    }
    let (env, ca, other) = encrypted();
    let args = add_args(&env);
    // Only the system's files count, whatever the variables contain.
    let command = with_variables(in_system(&env, &other, &args), &ca);
    let refused = env.finish("jetond add", command, b"", false);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.stderr.contains("is not trusted"), "{refused:?}");
    let command = with_variables(in_system(&env, "/dev/null", &args), &ca);
    let refused = env.finish("jetond add", command, b"", false);
    assert_eq!(refused.code, 78, "{refused:?}");
    let says = "the system has no root certificates to trust";
    assert!(refused.stderr.contains(says), "{refused:?}");
    assert_eq!(env.sandbox().stats().token_requests, 0);
    let command = with_variables(in_system(&env, &ca, &args), &other);
    let added = env.finish("jetond add", command, b"", false);
    assert_eq!(added.code, 0, "{added:?}");
    let asked = env.sandbox().stats().token_requests;

    // The same in a daemon. A change of the files takes effect at the next attempt.
    let run = ["run".to_owned()];
    let mut daemon = env.start_command(with_variables(in_system(&env, &other, &run), &ca));
    wait_until("the first attempt to fail", || {
        !last_fault(&env, &daemon).is_empty()
    });
    assert_eq!(last_fault(&env, &daemon), "tls_untrusted");
    assert_eq!(env.sandbox().stats().token_requests, asked);
    exchange(&env, &daemon, &ca);
    let token = env.get(&daemon, "/v1/profiles/research/token?max_wait=30");
    assert_eq!(token.status, 200, "{token:?}");
    // A withdrawn root is no longer trusted.
    let failures = || {
        let status = env.get(&daemon, "/v1/profiles/research").json();
        status["counts"]["failures"].as_u64().unwrap()
    };
    let before = failures();
    exchange(&env, &daemon, &other);
    let asked = env.sandbox().stats().token_requests;
    refresh(&env, &daemon);
    wait_until("another attempt to fail", || failures() > before);
    assert_eq!(last_fault(&env, &daemon), "tls_untrusted");
    assert_eq!(env.sandbox().stats().token_requests, asked);
    env.stop(&mut daemon);
}
