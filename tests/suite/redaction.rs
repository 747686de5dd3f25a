//! Leaks: the client secret and tokens appear only where they were requested. Every test of the suite searches all of
//! its output. These tests check that the search finds leaks, and cover places where secrets are known to leak.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jetond::sandbox::Line;
use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::daemon::wait_until;

/// Returns a text in the forms in which programs print secrets by mistake.
fn disguises(text: &str) -> Vec<String> {
    let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
    let mut forms = vec![
        text.to_owned(),
        format!("Bearer {text}"),
        format!("{:?}", Some(text)),
        hex.to_uppercase(),
        hex,
        json!({ "error": format!("got {text}") }).to_string(),
        json!({ "error": json!({ "body": text }).to_string() }).to_string(),
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
        text.chars().flat_map(|c| [c, '\0']).collect(),
    ];
    for before in ["", ":", "id:", "a-client:"] {
        forms.push(STANDARD.encode(format!("{before}{text}")));
        forms.push(URL_SAFE_NO_PAD.encode(format!("{before}{text}, and more")));
    }
    forms
}

#[test]
fn the_search_finds_a_planted_secret_in_every_form() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    env.stop(&mut daemon);
    assert_eq!(env.leaks(), Vec::<String>::new());
    let log = fs::read(&daemon.output).unwrap();
    assert!(!log.is_empty());
    for text in [env.secret(), &token] {
        for form in disguises(text) {
            fs::write(
                &daemon.output,
                [&log[..], b" TRACE x: ", form.as_bytes()].concat(),
            )
            .unwrap();
            assert_eq!(env.leaks().len(), 1, "{form}");
        }
    }
    fs::write(&daemon.output, log).unwrap();
    for folder in ["home", "run", "state/jeton", "config/jeton", "tmp"] {
        let path = env.path(folder).join("left-behind");
        fs::write(&path, &token).unwrap();
        assert_eq!(env.leaks().len(), 1, "{folder}");
        fs::remove_file(path).unwrap();
    }
    // A token must not even be in the store.
    let left = env.record("research").with_file_name("left-behind");
    fs::write(&left, &token).unwrap();
    assert_eq!(env.leaks().len(), 1);
    fs::remove_file(left).unwrap();
}

#[test]
fn the_search_for_leaks_fails_on_a_log_with_dropped_lines() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    env.stop(&mut daemon);
    assert_eq!(env.gaps(), Vec::<String>::new());
    let log = fs::read_to_string(&daemon.output).unwrap();
    let gap = "WARN 1 log lines were dropped dropped=1\n";
    fs::write(&daemon.output, log + gap).unwrap();
    assert_eq!(env.gaps(), [daemon.output.display().to_string()]);
    env.add_output("another log", gap.as_bytes(), false);
    assert_eq!(env.gaps().len(), 2);
    env.expect_dropped_lines();
}

#[test]
fn a_token_appears_only_where_it_was_requested() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let asked = env.jeton(&["token", "research"]);
    assert_eq!(
        (asked.stdout, asked.stderr),
        (format!("{token}\n"), String::new())
    );
    let asked = env.jeton(&["token", "research", "--json"]);
    let json: Value = serde_json::from_str(&asked.stdout).unwrap();
    assert_eq!(json["access_token"], token.as_str());
    let asked = env.jeton(&["header", "research"]);
    assert_eq!(asked.stdout, format!("Authorization: Bearer {token}\n"));
    // Each output is searched at the end of the test.
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["status", "research"],
        &["ready", "research"],
        &["refresh", "research"],
        &["refresh", "research"],
        &["reload"],
        &["help"],
        &["version"],
        &["token", "nobody"],
        &["token", "--nothing"],
    ] {
        let _ = env.jeton(args);
    }
    for target in [
        "/v1/profiles",
        "/v1/profiles/research",
        "/readyz/research",
        "/healthz",
        "/metrics",
    ] {
        let _ = env.get(&daemon, target);
    }
    env.stop(&mut daemon);
}

/// A secret that a user pastes in the wrong place is not repeated anywhere.
#[test]
fn a_secret_pasted_in_the_wrong_place_is_not_repeated() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    for text in [env.secret(), &token] {
        let extra = format!("client_secret={text}");
        for args in [
            &["token", text][..],
            &["token", "research", text],
            &["token", "research", "--min-valid", text],
            &["status", text],
            &["refresh", text],
            &[text],
        ] {
            // Not with the method of `TestEnv`, which would allow a token on standard output.
            let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
            command.args(args);
            let asked = env.finish("jeton, misused", command, text.as_bytes(), false);
            assert!([64, 78].contains(&asked.code), "{asked:?}");
        }
        for args in [
            &["add", "other", "--provider", "runai", "--url", text][..],
            &[
                "add",
                text,
                "--provider",
                "runai",
                "--url",
                "https://issuer.invalid",
            ],
            &[
                "add",
                "other",
                "--provider",
                text,
                "--url",
                "https://issuer.invalid",
            ],
            &["add", "other", "--provider", "oauth2", "--extra", text],
            &["add", "other", "--provider", "oauth2", "--extra", &extra],
            &["add", "research", "--rebind", "--client-secret-file", text],
            &["run", "--log-format", text],
            &["remove", text],
            &["check", text],
            &[text],
        ] {
            let asked = env.jetond(args);
            assert_ne!(asked.code, 0, "{asked:?}");
        }
        let basic = format!("Basic {}", STANDARD.encode(format!("research:{text}")));
        let bearer = format!("Bearer {text}");
        let headers = [
            ("Authorization", basic.as_str()),
            ("X-Token", bearer.as_str()),
        ];
        let body = format!("grant_type=client_credentials&client_id=research&client_secret={text}");
        for (method, target) in [
            ("GET", "/v1/profiles/research"),
            ("POST", "/v1/profiles/research/refresh"),
            ("POST", "/v1/helper"),
            ("POST", "/oauth2/token"),
            ("PUT", "/v1/profiles/research/token"),
        ] {
            let _ = env.request(&daemon.socket, method, target, &headers, body.as_bytes());
        }
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        for target in [
            format!("/v1/profiles/research?client_secret={encoded}"),
            format!("/v1/profiles/research/token?min_valid={encoded}"),
        ] {
            // Only the answer is searched, because the request contains the text.
            let answer = crate::support::http::request(&daemon.socket, "GET", &target, &[], b"");
            assert_eq!(answer.status, 400, "{answer:?}");
            env.add_output("a refusal", &answer.body, false);
        }
    }
    env.stop(&mut daemon);
}

#[test]
fn errors_about_an_invalid_record_or_configuration_do_not_quote_it() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let secret = env.secret().to_owned();
    let record = env.record("research");
    let good: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    let with = |name: &str, value: Value| {
        let mut record = good.clone();
        record[name] = value;
        record.to_string()
    };
    let whole = good.to_string();
    let mut daemon = env.start();
    for broken in [
        with("client_secret", json!([secret])),
        with("client_secret", json!(format!("{secret}\u{7f}\n"))),
        with("created_at", json!(secret)),
        with("version", json!(secret)),
        with(&secret, json!(1)),
        whole[..whole.len() / 2].to_owned(),
        format!("{secret}{whole}"),
    ] {
        fs::write(&record, broken).unwrap();
        let _ = env.jeton(&["reload"]);
        let _ = env.jetond(&["check"]);
        let _ = env.jetond(&["add", "research", "--rebind"]);
        let _ = env.jeton(&["status"]);
    }
    daemon.wait_for_log("cannot be read");
    env.stop(&mut daemon);

    // The content of a configuration is not repeated either, whether or not it is well-formed.
    let config = fs::read_to_string(env.config()).unwrap();
    let quoted = json!(secret).to_string();
    for line in [
        format!("client-secret = {quoted}"),
        format!("store = {quoted}"),
        format!("api = {quoted}"),
        format!("proxy = {quoted}"),
        format!("proxy = \"http://user:{secret}@proxy.invalid\""),
        format!("client-secret = {quoted}{quoted}"),
        format!("client-secret = '{secret}"),
        format!("client-secret = {secret}"),
        format!("keep-warm = {quoted}"),
    ] {
        fs::write(env.config(), format!("{config}{line}\n")).unwrap();
        assert_ne!(env.jetond(&["check"]).code, 0, "{line}");
        let mut daemon = env.spawn(&[]);
        assert!(!daemon.wait().success(), "{line}");
        let _ = env.try_enrol_at("other", &env.sandbox().url());
    }
    fs::write(env.config(), config).unwrap();
}

/// Returns the processes that show the text, and whether in their arguments or their environment.
fn seen_in_proc(text: &str) -> BTreeSet<(u32, &'static str)> {
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        for name in ["cmdline", "environ"] {
            // Processes may end meanwhile, and other users' processes may be unreadable. Both are skipped.
            let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
            let hit = bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes());
            if hit {
                seen.insert((pid, name));
            }
        }
    }
    seen
}

#[test]
fn no_process_shows_a_secret_except_in_the_variable_given_with_env() {
    let mut env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let cold = env.add_sandbox(Line::V2_24, 600);
    env.enrol_at("cold", &env.sandboxes()[cold].url());
    env.fault_at(cold, "hang");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");

    let mut waiting = env.command(env!("CARGO_BIN_EXE_jeton"));
    waiting.args(["token", "cold", "--max-wait", "30"]);
    let mut waiting = waiting
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut exec = env.command(env!("CARGO_BIN_EXE_jeton"));
    exec.args([
        "exec",
        "--env",
        "RUNAI_TOKEN",
        "research",
        "--",
        "sh",
        "-c",
        "read line",
    ]);
    let mut child = exec
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let environ = format!("/proc/{}/environ", child.id());
    let mut variables = vec![];
    wait_until("the command to run", || {
        variables = fs::read(&environ).unwrap();
        variables
            .windows(12)
            .any(|window| window == b"RUNAI_TOKEN=")
    });
    let expected = format!("RUNAI_TOKEN={token}");
    let with_token: Vec<&[u8]> = variables
        .split(|byte| *byte == 0)
        .filter(|variable| variable.windows(token.len()).any(|w| w == token.as_bytes()))
        .collect();
    assert_eq!(with_token, [expected.as_bytes()]);
    assert_eq!(
        seen_in_proc(&token),
        BTreeSet::from([(child.id(), "environ")])
    );
    let signature = token.rsplit('.').next().unwrap();
    assert_eq!(
        seen_in_proc(signature),
        BTreeSet::from([(child.id(), "environ")])
    );
    assert_eq!(seen_in_proc(env.secret()), BTreeSet::new());

    child.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    env.add_output("stdout of exec", &output.stdout, false);
    env.add_output("stderr of exec", &output.stderr, false);
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);

    // Without `--env`, no variable is set.
    let mut exec = env.command(env!("CARGO_BIN_EXE_jeton"));
    exec.args(["exec", "research", "--", "env"]);
    let output = env.finish("exec of env", exec, b"", false);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(
        output.stdout.contains("JETON_PROFILE=research"),
        "{output:?}"
    );
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    env.stop(&mut daemon);
}

#[test]
fn the_log_as_json_has_its_fields_and_no_secret() {
    let env = TestEnv::with_sandbox(3);
    env.enrol("research");
    let mut daemon = env.start_with(&["--log-format", "json"]);
    let first = env.token(&daemon, "research");
    wait_until("the next token", || env.token(&daemon, "research") != first);
    env.fault(r#"answer:503:{"message":"could not store $TOKEN","x":"$TOKEN"}"#);
    wait_until("a failure", || {
        let status = env.get(&daemon, "/v1/profiles/research").json();
        status["counts"]["failures"].as_u64() >= Some(1)
    });
    env.stop(&mut daemon);
    let log = daemon.log();
    let mut messages = vec![];
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "{line}");
        }
        let message = line["message"].as_str().unwrap();
        if message == "new token" || message == "refresh failed" {
            assert_eq!(line["profile"], "research", "{line}");
            messages.push(message.to_owned());
        }
    }
    for message in ["new token", "refresh failed"] {
        assert!(messages.iter().any(|m| m == message), "{messages:?}");
    }
}
