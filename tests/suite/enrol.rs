//! Enrolment: `jetond add` and `jetond remove`, and the files they leave.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jetond::sandbox::Line;

use crate::support::env::Output;
use crate::support::{TestEnv, ignored};

/// Runs `jetond add` for the sandbox's application, with its secret in a file and these extra arguments.
pub(crate) fn add(env: &TestEnv, name: &str, more: &[&str]) -> Output {
    let (url, secret) = (env.sandbox().url(), env.secret_file());
    let enrolment = ["add", name, "--provider", "runai", "--url", &url];
    let credential = [
        "--client-id",
        "test-client",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ];
    env.jetond(&[&enrolment, &credential[..], more].concat())
}

/// Runs `jetond add` with this secret on standard input.
fn add_by_stdin(env: &TestEnv, name: &str, secret: &[u8]) -> Output {
    let url = env.sandbox().url();
    let command = env.jetond_command(&[
        "add",
        name,
        "--provider",
        "runai",
        "--url",
        &url,
        "--client-id",
        "test-client",
        "--client-secret-stdin",
    ]);
    env.finish("jetond add", command, secret, false)
}

/// Writes the configuration.
pub(crate) fn write_config(env: &TestEnv, text: impl AsRef<[u8]>) {
    fs::create_dir_all(env.config().parent().unwrap()).unwrap();
    fs::write(env.config(), text).unwrap();
    fs::set_permissions(env.config(), Permissions::from_mode(0o600)).unwrap();
}

/// Asserts that neither a configuration nor any state was written.
pub(crate) fn assert_nothing_written(env: &TestEnv) {
    for folder in ["config", "state"] {
        let entries: Vec<_> = fs::read_dir(env.path(folder)).unwrap().collect();
        assert!(entries.is_empty(), "{entries:?}");
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn enrolment_verifies_the_credential_then_writes_record_and_profile() {
    let env = TestEnv::with_sandbox(60);
    let before = "# mine\r\n[socket] # \u{e9}\r\n  mode='private'\r\n\r\n# the end";
    write_config(&env, before);
    let added = add(&env, "research", &[]);
    assert_eq!(added.code, 0, "{added:?}");
    assert_eq!(added.stderr, "");
    assert!(
        added.stdout.contains("research is enrolled"),
        "{}",
        added.stdout
    );
    assert!(
        added.stdout.contains("no daemon is running"),
        "{}",
        added.stdout
    );
    let stats = env.sandbox().stats();
    assert_eq!((stats.token_requests, stats.granted), (1, 1));

    let url = env.sandbox().url();
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(env.record("research")).unwrap()).unwrap();
    let created_at = record["created_at"].as_u64().unwrap();
    let server_date = record["server_date"].as_u64().unwrap();
    assert!(created_at > 1_700_000_000 && server_date > 1_700_000_000);
    let expected = serde_json::json!({
        "version": 2,
        "client_id": "test-client",
        "client_secret": env.secret(),
        "key_id": null,
        "key_name": null,
        "created_at": created_at,
        "server_date": server_date,
        "provider": "runai",
        "endpoint": format!("{url}/"),
        "origin": url,
        "ca": null,
        "proxy": null,
    });
    assert_eq!(record, expected);
    let folder = env.path("state/jeton/credentials");
    assert_eq!(
        (mode(&env.record("research")), mode(&folder)),
        (0o600, 0o700)
    );
    let profile = format!(
        "\r\n\r\n[profiles.research]\r\nprovider = \"runai\"\r\nurl = \"{url}\"\r\nstore = \"file\"\r\n"
    );
    let after = fs::read_to_string(env.config()).unwrap();
    assert_eq!(after, format!("{before}{profile}"));
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked.stdout.starts_with("research: ok, runai at "),
        "{checked:?}"
    );
}

#[test]
fn the_first_add_creates_a_configuration_that_only_its_owner_can_read() {
    let env = TestEnv::with_sandbox(60);
    let added = add(&env, "a.b", &["--api", "v1"]);
    assert_eq!(added.code, 0, "{added:?}");
    let folder = env.path("config/jeton");
    assert_eq!((mode(&env.config()), mode(&folder)), (0o600, 0o700));
    let text = fs::read_to_string(env.config()).unwrap();
    assert!(
        text.starts_with("[profiles.\"a.b\"]\n") && text.ends_with("api = \"v1\"\n"),
        "{text}"
    );
    assert_eq!(env.sandbox().requests()[0].path, "/api/v1/token");
}

#[test]
fn enrolment_at_an_older_server_line_retries_at_the_v1_endpoint() {
    let env = TestEnv::with_line(Line::V2_23, 60);
    let added = add(&env, "research", &[]);
    assert_eq!(added.code, 0, "{added:?}");
    let requests = env.sandbox().requests();
    let paths: Vec<_> = requests.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(paths, ["/api/v2/token", "/api/v1/token"]);
    assert_eq!(env.sandbox().stats().granted, 1);
}

#[test]
fn a_running_daemon_serves_added_profiles_and_drops_removed_ones() {
    let env = TestEnv::with_sandbox(60);
    let mut daemon = env.start();
    let added = add(&env, "research", &[]);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(
        added.stdout.ends_with("the running daemon has read it\n"),
        "{added:?}"
    );
    let token = env.token(&daemon, "research");
    assert!(env.sandbox().issued().contains(&token));

    // A daemon with another configuration must not be reported to have read this one.
    let other = env.path("home/other.toml");
    let other = add(&env, "other", &["--config", other.to_str().unwrap()]);
    assert_eq!(other.code, 0, "{other:?}");
    assert!(
        other.stderr.contains("uses another configuration")
            && !other.stdout.contains("has read it"),
        "{other:?}"
    );

    let removed = env.jetond(&["remove", "research", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(
        removed.stdout.contains("key at the issuer is still valid")
            && removed.stdout.ends_with("the running daemon has read it\n"),
        "{removed:?}"
    );
    let gone = env.get(&daemon, "/v1/profiles/research/token");
    assert_eq!(
        (gone.status, gone.code()),
        (404, "unknown_profile".to_owned())
    );
    assert!(!env.record("research").exists());
    let left = fs::read_to_string(env.config()).unwrap();
    assert!(
        left.starts_with("# ") && left.lines().count() == 1,
        "{left}"
    );
    let again = env.jetond(&["remove", "research", "--yes"]);
    assert_eq!(again.code, 78, "{again:?}");
    assert!(
        again.stderr.contains("there is no profile research in "),
        "{again:?}"
    );
    env.stop(&mut daemon);
}

#[test]
fn removing_a_profile_leaves_every_other_byte() {
    let env = TestEnv::with_sandbox(60);
    let before = "# first\r\n\r\n[socket]\r\nmode = 'private' # why\r\n";
    write_config(&env, before);
    env.enrol("one");
    env.enrol("two");
    let with_two = fs::read_to_string(env.config()).unwrap();
    let removed = env.jetond(&["remove", "one", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    let start = with_two.find("[profiles.one]").unwrap();
    let end = with_two.find("[profiles.two]").unwrap();
    let expected = format!("{}{}", &with_two[..start], &with_two[end..]);
    assert_eq!(fs::read_to_string(env.config()).unwrap(), expected);
    assert!(!env.record("one").exists() && env.record("two").exists());
}

#[test]
fn a_wrong_secret_is_refused_with_the_issuers_reason() {
    let env = TestEnv::with_sandbox(60);
    let refused = add_by_stdin(&env, "research", b"canary-of-a-wrong-secret");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("nothing is written") && refused.stderr.contains("invalid_client"),
        "{refused:?}"
    );
    assert!(!refused.stderr.contains("canary"), "{refused:?}");
    assert_eq!(
        (refused.stdout.as_str(), env.sandbox().stats().granted),
        ("", 0)
    );
    assert_nothing_written(&env);
}

#[test]
fn an_unreachable_issuer_exits_75_and_writes_nothing() {
    let env = TestEnv::with_sandbox(60);
    for (fault, code) in [
        ("refuse", 75),
        ("reset", 75),
        ("status:503", 75),
        ("status:429", 75),
        // A different server answers there, so a retry cannot help.
        ("html", 78),
        ("garbage", 78),
        ("status:404", 78),
        ("answer:404:default backend - 404", 78),
        ("answer:403:<html>Access denied</html>", 78),
        ("answer:407:", 78),
        ("redirect:302:http://127.0.0.1:9/", 78),
    ] {
        env.fault(fault);
        let failed = add(&env, "research", &[]);
        assert_eq!(failed.code, code, "{fault}: {failed:?}");
        assert!(failed.stderr.contains("nothing is written"), "{failed:?}");
        let status = ["404", "403"]
            .into_iter()
            .find(|status| fault.contains(status));
        if let Some(status) = status {
            let why = format!("no token endpoint at this address ({status})");
            assert!(failed.stderr.contains(&why), "{fault}: {failed:?}");
        }
        assert_nothing_written(&env);
    }
}

#[test]
fn adding_an_existing_profile_is_a_conflict() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let before = (
        fs::read(env.config()).unwrap(),
        fs::read(env.record("research")).unwrap(),
    );
    let conflict = add(&env, "research", &[]);
    assert_eq!(conflict.code, 78, "{conflict:?}");
    for way in ["jetond add research --rebind", "jetond remove research"] {
        assert!(conflict.stderr.contains(way), "{conflict:?}");
    }
    let after = (
        fs::read(env.config()).unwrap(),
        fs::read(env.record("research")).unwrap(),
    );
    assert!(before == after);
    assert_eq!(env.sandbox().stats().token_requests, 1);
}

#[test]
fn one_trailing_line_end_is_stripped_from_a_secret() {
    let env = TestEnv::with_sandbox(60);
    for (n, end) in ["", "\n", "\r\n"].into_iter().enumerate() {
        let added = add_by_stdin(
            &env,
            &format!("p{n}"),
            format!("{}{end}", env.secret()).as_bytes(),
        );
        assert_eq!(added.code, 0, "{end:?}: {added:?}");
    }
}

#[test]
fn an_invalid_secret_is_refused_without_being_sent_or_repeated() {
    let env = TestEnv::with_sandbox(60);
    let long = "canary".repeat(200);
    let cases: [(&[u8], &str); 7] = [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"canary\n\n", "characters"),
        (b"canary\0", "characters"),
        ("canary\u{e9}".as_bytes(), "characters"),
        (b"canary\xff", "not text"),
        (long.as_bytes(), "longer than 1024 bytes"),
    ];
    for (secret, why) in cases {
        let refused = add_by_stdin(&env, "research", secret);
        assert_eq!(refused.code, 64, "{refused:?}");
        assert!(
            refused.stderr.contains("the client secret") && refused.stderr.contains(why),
            "{why}: {refused:?}"
        );
        assert!(!refused.stderr.contains("canary"), "{refused:?}");
    }
    assert_eq!(env.sandbox().stats().token_requests, 0);
    assert_nothing_written(&env);
}

#[test]
fn add_warns_of_a_secret_file_that_others_can_read() {
    let env = TestEnv::with_sandbox(60);
    let secret = env.secret_file();
    fs::set_permissions(&secret, Permissions::from_mode(0o640)).unwrap();
    let url = env.sandbox().url();
    let secret = secret.to_str().unwrap();
    let added = env.jetond(&[
        "add",
        "research",
        "--provider",
        "runai",
        "--url",
        &url,
        "--client-id",
        "test-client",
        "--client-secret-file",
        secret,
    ]);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(
        added.stderr.contains("warning: others can read")
            && added.stderr.contains(&format!("chmod 600 {secret}")),
        "{added:?}"
    );
    let missing = env.jetond(&[
        "add",
        "b",
        "--provider",
        "runai",
        "--url",
        &url,
        "--client-id",
        "x",
        "--client-secret-file",
        "/nowhere/secret",
    ]);
    assert_eq!(missing.code, 78, "{missing:?}");
    assert!(
        missing
            .stderr
            .contains("--client-secret-file cannot be read: No such file"),
        "{missing:?}"
    );
}

#[test]
fn no_option_takes_a_secret() {
    let env = TestEnv::new();
    let start = [
        "add",
        "a",
        "--provider",
        "runai",
        "--url",
        "https://a.example",
    ];
    for more in [
        &["--client-secret", "canary-hunter2"][..],
        &["--client-secret=canary-hunter2"],
        &["--client-secret-stdin=canary-hunter2"],
        &["--client-secret-stdin", "canary-hunter2"],
        &["--secret", "canary-hunter2"],
        &["canary-hunter2"],
        &["--url", "https://me:canary-hunter2@a.example"],
        &["--url", "https://a.example/x?password=canary-hunter2"],
        &["--url", "https://a.example/x?canary-hunter2"],
        &[
            "--url",
            "https://a.example/#access_token=canary-hunter2&x=1",
        ],
        &["--url", "http://a.example/?token=canary-hunter2"],
    ] {
        let refused = env.jetond(&[&start, more].concat());
        assert_eq!(refused.code, 64, "{more:?}: {refused:?}");
        assert!(
            !refused.stderr.contains("canary") && refused.stderr.starts_with("error: "),
            "{more:?}: {refused:?}"
        );
    }
    let unasked = env.jetond(&start);
    assert_eq!(unasked.code, 64, "{unasked:?}");
    assert!(
        unasked
            .stderr
            .contains("there is no terminal to ask on: give --client-id")
    );
    assert_nothing_written(&env);
}

#[test]
fn a_web_page_address_is_shown_with_its_interpretation() {
    let env = TestEnv::with_sandbox(600);
    let server = env.sandbox().url();
    let added = env.try_enrol_at("a", &format!("{server}/projects"));
    assert_eq!(added.code, 78, "{added:?}");
    let whole = format!(
        "asked at {server}/projects/api/v1/token: of the configured address, {server} is used as the server, and /projects as the path of its API"
    );
    assert!(added.stderr.contains(&whole), "{added:?}");
    let secret = env.secret_file();
    let endpoint = format!("{server}/projects/token?tenant=a");
    let mut command = env.jetond_command(&["add", "b", "--provider", "oauth2"]);
    command
        .args(["--token-url", &endpoint, "--client-id", "test-client"])
        .arg("--client-secret-file")
        .arg(secret);
    let added = env.finish("jetond", command, b"", false);
    assert_eq!(added.code, 78, "{added:?}");
    let whole = format!("asked at {endpoint}, which is the configured token-url");
    assert!(added.stderr.contains(&whole), "{added:?}");
    assert_nothing_written(&env);
}

#[test]
fn a_typing_error_is_a_usage_error_with_a_suggestion() {
    let env = TestEnv::new();
    for (args, says) in [
        (
            &["add"][..],
            "jetond add <NAME> --provider runai --url <URL>",
        ),
        (&["add", "A"], "a profile's name has 1 to 63 of a-z 0-9"),
        (&["add", "a", "--provider", "run"], "'runai'"),
        (
            &["add", "a", "--provider", "runai", "--url", "acme.run.ai"],
            "did you mean https://acme.run.ai?",
        ),
        (
            &[
                "add",
                "a",
                "--provider",
                "runai",
                "--url",
                "http://acme.run.ai",
            ],
            "did you mean https://acme.run.ai?",
        ),
        (
            &[
                "add",
                "a",
                "--provider",
                "runai",
                "--url",
                "http://localhost:1",
            ],
            "did you mean http://127.0.0.1:1?",
        ),
        (
            &[
                "add",
                "a",
                "--provider",
                "runai",
                "--url",
                "https://acme.run.ai/projects?tab=jobs#top",
            ],
            "in https://acme.run.ai/projects?tab=jobs#top, https://acme.run.ai is taken for the server, /projects for the path, ?tab=jobs for the query and #top for the fragment (did you mean https://acme.run.ai/projects?)",
        ),
        (
            &[
                "add",
                "a",
                "--provider",
                "oauth2",
                "--issuer",
                "https://login.microsoftonline.com/{tenantid}/v2.0",
            ],
            "write your own part in its place: {tenantid} is one",
        ),
        (
            &["add", "a", "--rebind", "--url", "https://a.example"],
            "cannot be used with",
        ),
        (
            &["add", "a", "--rebind", "--system", "--config", "/x"],
            "cannot be used with",
        ),
        (
            &["check", "--system", "--state", "/x"],
            "cannot be used with",
        ),
        (
            &["remove", "a", "--config", "/x", "--system"],
            "cannot be used with",
        ),
        (&["remove"], "<NAME>"),
        (&["chekc"], "'check'"),
        (&["--nonsense"], "--help"),
        (&["sandbox", "--api", "2.25"], "2.18, 2.20, 2.23, 2.24, 3.0"),
    ] {
        let refused = env.jetond(args);
        assert_eq!(refused.code, 64, "{args:?}: {refused:?}");
        assert_eq!(refused.stdout, "", "{args:?}");
        assert!(
            refused.stderr.contains(says),
            "{args:?}: {}",
            refused.stderr
        );
    }
    assert_nothing_written(&env);
}

#[test]
fn every_help_page_fits_a_terminal() {
    let env = TestEnv::new();
    for command in ["", "run", "add", "remove", "check", "demo", "sandbox"] {
        for option in ["--help", "-h"] {
            let args: Vec<_> = [command, option]
                .into_iter()
                .filter(|a| !a.is_empty())
                .collect();
            let help = env.jetond(&args);
            assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{args:?}");
            assert!(help.stdout.contains("Usage: jetond"), "{args:?}");
            for line in help.stdout.lines() {
                assert!(line.chars().count() <= 80, "{args:?}: {line}");
            }
        }
    }
    let version = env.jetond(&["--version"]);
    assert_eq!(
        version.stdout,
        format!("jetond {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn the_configuration_is_the_option_then_the_variable_then_the_default_path() {
    let env = TestEnv::with_sandbox(60);
    let (named, by_variable) = (env.path("home/named.toml"), env.path("home/variable.toml"));
    let (url, secret) = (env.sandbox().url(), env.secret_file());
    let mut expected = 0;
    for (arguments, variable, written) in [
        (true, true, &named),
        (false, true, &by_variable),
        (false, false, &env.config()),
    ] {
        let mut command = env.jetond_command(&[
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
        ]);
        if arguments {
            command.arg("--config").arg(&named);
        }
        if variable {
            command.env("JETON_CONFIG", &by_variable);
        }
        assert!(!written.exists());
        let added = env.finish("jetond add", command, b"", false);
        assert_eq!(added.code, 0, "{added:?}");
        assert!(written.exists(), "{}", written.display());
        let all = [&named, &by_variable, &env.config()];
        expected += 1;
        assert_eq!(all.iter().filter(|path| path.exists()).count(), expected);
    }
    // Without XDG_CONFIG_HOME, the configuration is below the home folder.
    let mut command = env.jetond_command(&["check"]);
    command.env_remove("XDG_CONFIG_HOME");
    let checked = env.finish("jetond check", command, b"", false);
    let place = env.path("home/.config/jeton/config.toml");
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked
            .stdout
            .starts_with(&format!("{}: no profiles yet", place.display())),
        "{checked:?}"
    );
}

#[test]
fn a_daemon_takes_its_configuration_state_and_socket_from_its_arguments() {
    let env = TestEnv::with_sandbox(60);
    let config = env.path("home/named.toml");
    // The folder is inside the one in which the search for leaks allows secrets.
    let state = env.path("state/jeton/credentials/elsewhere");
    let folder = env.path("run/mine");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    let socket = folder.join("s.sock");
    let (config, state) = (config.to_str().unwrap(), state.to_str().unwrap());
    let added = add(&env, "research", &["--config", config, "--state", state]);
    assert_eq!(added.code, 0, "{added:?}");
    let line = format!("start one with: jetond run --config {config} --state {state}\n");
    assert!(added.stdout.ends_with(&line), "{added:?}");
    assert!(!env.record("research").exists());
    assert!(Path::new(state).join("credentials/research.json").exists());

    let mut daemon = env.spawn(&[
        "--config",
        config,
        "--state",
        state,
        "--socket",
        socket.to_str().unwrap(),
    ]);
    daemon.socket = socket;
    daemon.wait_for_log("serving");
    let token = env.token(&daemon, "research");
    assert!(env.sandbox().issued().contains(&token));
    assert!(!env.path("run/jeton").exists());
    env.stop(&mut daemon);
}

#[test]
fn an_invalid_log_filter_is_a_usage_error() {
    let env = TestEnv::new();
    for filter in ["verbose", "jetond=loud", "a=b=c"] {
        let mut command = env.jetond_command(&["run"]);
        command.env("JETON_LOG", filter);
        let refused = env.finish("jetond run", command, b"", false);
        assert_eq!(refused.code, 64, "{filter}: {refused:?}");
        assert!(
            refused
                .stderr
                .starts_with("jetond: JETON_LOG is not a filter; write a level (")
                && refused.stderr.lines().count() == 1,
            "{refused:?}"
        );
    }
}

/// On a machine with a daemon for all users, a user's commands read its configuration until the user has one of their
/// own.
#[test]
fn a_users_own_profile_is_never_written_into_the_systems_configuration() {
    let env = TestEnv::with_sandbox(60);
    let secret = env.secret_file();
    let script = format!(
        "mount -t tmpfs -o mode=755 tmpfs /etc || exit 99
         mkdir /etc/jeton && printf '[profiles.research]\nprovider = \"runai\"\nurl = \"https://acme.run.ai\"\n' >/etc/jeton/config.toml
         {jetond} remove research; echo \"remove $?\"
         {jetond} add research --provider runai --url {url} --client-id test-client --client-secret-file {secret}; echo \"add $?\"
         grep -c . /etc/jeton/config.toml",
        jetond = env!("CARGO_BIN_EXE_jetond"),
        url = env.sandbox().url(),
        secret = secret.display(),
    );
    let mut command = env.command("unshare");
    command.args(["-m", "sh", "-c", &script]);
    let output = env.finish("enrolment beside a system's daemon", command, b"", false);
    if output.code != 0 {
        return ignored("enrolment beside a system's daemon: no mount namespaces here");
    }
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.first(), Some(&"remove 78"), "{output:?}");
    assert_eq!(
        lines.get(lines.len() - 2..),
        Some(&["add 0", "3"][..]),
        "{output:?}"
    );
    assert!(env.config().exists() && env.record("research").exists());
}
