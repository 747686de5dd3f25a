//! `jetond add` on a terminal, asking for the arguments that are missing.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use jetond::sandbox::Line;
use rustix::process::Signal;

use crate::enrol::assert_nothing_written;
use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::terminal::Terminal;

const PROVIDER: &str =
    "Provider: runai (NVIDIA Run:ai) or oauth2 (another OAuth 2.0 issuer) [runai]: ";
const ADDRESS: &str = "Address (such as https://acme.run.ai, or any page of it): ";
const OTHER_ADDRESS: &str = "the token endpoint's): ";
const ID: &str = "Client ID: ";
const SECRET: &str = "(not shown): ";
const NAME: &str = "Name of the profile (Enter takes ";

/// Answers the questions in order. A question may be repeated: each answer waits until its question has been asked
/// often enough.
fn answer(terminal: &mut Terminal, answers: &[(&str, &str)]) {
    for (n, (question, text)) in answers.iter().enumerate() {
        let before = answers[..n].iter().filter(|(asked, _)| asked == question);
        let times = before.count() + 1;
        wait_until(&format!("{question:?}, {times}"), || {
            terminal.count(question) >= times
        });
        terminal.type_in(text);
    }
}

/// Returns the answers to the questions about the client.
fn client(env: &TestEnv) -> String {
    format!("test-client\n{}\n", env.secret())
}

fn record(env: &TestEnv, name: &str) -> serde_json::Value {
    serde_json::from_slice(&fs::read(env.record(name)).unwrap()).unwrap()
}

#[test]
fn the_dialogue_asks_for_everything_and_ends_with_three_examples() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let host = url.strip_prefix("http://").unwrap();
    let mut daemon = env.start();
    let mut terminal = Terminal::start(&env, &["add"], &[]);
    answer(
        &mut terminal,
        &[
            (PROVIDER, "\n"),
            (ADDRESS, &format!("{host}\n")),
            (ID, "test-client\n"),
            (SECRET, &format!("{}\n", env.secret())),
            (NAME, "\n"),
        ],
    );
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(!shown.contains(env.secret()), "the secret was shown");
    for text in [
        &format!("the address is read as {url}\r\n"),
        &format!("Client secret for {url} (not shown): "),
        "found Run:ai 2.24 or later: it gives tokens at /api/v2/token\r\n",
        "Name of the profile (Enter takes runai)",
        "runai is enrolled",
        "three ways to use it:\r\n",
        "  jeton token runai ",
        "  jeton exec --env TOKEN runai -- COMMAND ",
        "  jetond setup ",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    assert_eq!(record(&env, "runai")["client_id"], "test-client");
    let config = fs::read_to_string(env.config()).unwrap();
    assert!(config.contains(&format!("url = \"{url}\"")), "{config}");
    let stats = env.sandbox().stats();
    assert_eq!(stats.granted, stats.token_requests);
    // The printed commands work as shown.
    let token = env.jeton(&["token", "runai"]);
    assert_eq!(token.code, 0, "{token:?}");
    let script = ["exec", "--env", "TOKEN", "runai", "--", "sh", "-c"];
    let exec = env.jeton(&[&script[..], &["test -n \"$TOKEN\""]].concat());
    assert_eq!(exec.code, 0, "{exec:?}");
    let setup = env.jetond(&["setup"]);
    assert_eq!(setup.code, 0, "{setup:?}");
    env.stop(&mut daemon);
}

#[test]
fn add_prints_the_detected_run_ai_release_line() {
    for (line, found) in [
        (Line::V2_18, "found Run:ai 2.18 or 2.19: "),
        (Line::V2_20, "found Run:ai 2.20 to 2.23: "),
        (Line::V2_23, "found Run:ai 2.20 to 2.23: "),
        (Line::V2_24, "found Run:ai 2.24 or later: "),
        (Line::V3_0, "found Run:ai 2.24 or later: "),
    ] {
        let env = TestEnv::with_line(line, 60);
        let mut terminal = Terminal::start(&env, &["add"], &[]);
        answer(
            &mut terminal,
            &[
                (PROVIDER, "Run:ai\n"),
                (ADDRESS, &format!("{}\n", env.sandbox().url())),
                (ID, &client(&env)),
                (NAME, "a\n"),
            ],
        );
        let (status, shown) = terminal.end(&env);
        assert_eq!(status.code(), Some(0), "{shown}");
        assert!(shown.contains(found), "{line:?}: {shown}");
    }
}

#[test]
fn add_accepts_an_address_in_every_form_that_users_paste() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let port = url.rsplit(':').next().unwrap();
    for (n, pasted) in [
        format!("{url}/"),
        format!("{url}/api/v1"),
        format!("{url}/api/v2/token"),
        format!("{url}/projects?tab=jobs#top"),
        format!("{url}/#/projects/team-a"),
        format!("<{url}/workloads>"),
        format!("\u{1b}[200~{url}/login\u{1b}[201~"),
        format!("127.0.0.1:{port}/projects"),
        format!("http://localhost:{port}"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut terminal = Terminal::start(&env, &["add"], &[]);
        answer(
            &mut terminal,
            &[
                (PROVIDER, "1\n"),
                (ADDRESS, &format!("{pasted}\n")),
                (ID, &client(&env)),
                (NAME, &format!("p{n}\n")),
            ],
        );
        let (status, shown) = terminal.end(&env);
        assert_eq!(status.code(), Some(0), "{pasted}: {shown}");
        let record = record(&env, &format!("p{n}"));
        assert_eq!(record["origin"], url, "{pasted}");
    }
    let stats = env.sandbox().stats();
    assert_eq!(stats.granted, stats.token_requests);
}

#[test]
fn add_repeats_a_question_after_an_unusable_answer() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("taken");
    let url = env.sandbox().url();
    let mut terminal = Terminal::start(&env, &["add"], &[]);
    answer(
        &mut terminal,
        &[
            (PROVIDER, "other\n"),
            (PROVIDER, "runai\n"),
            (ADDRESS, "\n"),
            (ADDRESS, "canary-of-a-secret-2\n"),
            (ADDRESS, "https://me:canary@a.example\n"),
            // Nothing listens at this address.
            (ADDRESS, "http://127.0.0.1:1\n"),
            (ADDRESS, &format!("{url}\nsecond line\n")),
            (ID, &client(&env)),
            (NAME, "taken\n"),
            (NAME, "A Name\n"),
            (NAME, "good\n"),
        ],
    );
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    for text in [
        "there is no such provider",
        "this is not an address: one begins with https://",
        "an address must not have a user or password",
        "127.0.0.1:1",
        "one more line was typed or pasted: it is thrown away",
        "there is a profile taken already",
        "a profile's name has 1 to 63 of",
        "good is enrolled",
    ] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
}

#[test]
fn a_wrong_secret_ends_the_dialogue_and_nothing_is_written() {
    let env = TestEnv::with_sandbox(60);
    let mut terminal = Terminal::start(&env, &["add"], &[]);
    answer(
        &mut terminal,
        &[
            (PROVIDER, "\n"),
            (ADDRESS, &format!("{}\n", env.sandbox().url())),
            (ID, "test-client\ncanary-of-a-wrong-secret\n"),
        ],
    );
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(1), "{shown}");
    assert!(shown.contains("nothing is written"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    assert_nothing_written(&env);
}

#[test]
fn add_does_not_ask_for_values_given_as_arguments() {
    let env = TestEnv::with_sandbox(60);
    let url = env.sandbox().url();
    let secret = env.secret_file();
    let secret = secret.to_str().unwrap();
    let address = format!("{url}\n");
    let both = client(&env);
    for (args, answers) in [
        (
            &["add", "a"][..],
            &[(PROVIDER, "\n"), (ADDRESS, &address), (ID, &both)][..],
        ),
        (
            &["add", "b", "--provider", "runai"],
            &[(ADDRESS, &address), (ID, &both)],
        ),
        (
            &["add", "--provider", "runai", "--url", &url],
            &[(ID, &both), (NAME, "c\n")],
        ),
        (
            &[
                "add",
                "--client-id",
                "test-client",
                "--client-secret-file",
                secret,
            ],
            &[(PROVIDER, "\n"), (ADDRESS, &address), (NAME, "d\n")],
        ),
        (
            &["add", "e", "--client-secret-file", secret],
            &[(PROVIDER, "\n"), (ADDRESS, &address), (ID, "test-client\n")],
        ),
    ] {
        let mut terminal = Terminal::start(&env, args, &[]);
        answer(&mut terminal, answers);
        let (status, shown) = terminal.end(&env);
        assert_eq!(status.code(), Some(0), "{args:?}: {shown}");
        assert_eq!(
            shown.matches("]: ").count(),
            shown.matches(PROVIDER).count()
        );
    }
    for name in ["a", "b", "c", "d", "e"] {
        assert!(env.record(name).exists(), "{name}");
    }
    // A name that is already used is reported before the first question.
    let terminal = Terminal::start(&env, &["add", "a"], &[]);
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(78), "{shown}");
    assert!(shown.contains("there is a profile a already"), "{shown}");
    assert!(!shown.contains("Provider"), "{shown}");
}

#[test]
fn add_accepts_the_token_endpoint_of_an_oauth2_issuer() {
    let env = TestEnv::with_sandbox(60);
    let endpoint = format!("{}/api/v2/token", env.sandbox().url());
    // The sandbox accepts the credential only in the body.
    let mut terminal = Terminal::start(&env, &["add", "--client-auth", "post"], &[]);
    answer(
        &mut terminal,
        &[
            (PROVIDER, "oauth2\n"),
            (OTHER_ADDRESS, &format!("{endpoint}\n")),
            (ID, &client(&env)),
            (NAME, "\n"),
        ],
    );
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(shown.contains("(Enter takes oauth2)"), "{shown}");
    let config = fs::read_to_string(env.config()).unwrap();
    assert!(
        config.contains(&format!("token-url = \"{endpoint}\"")),
        "{config}"
    );
}

#[test]
fn ctrl_c_and_ctrl_d_at_any_question_restore_the_terminal_and_write_nothing() {
    let env = TestEnv::with_sandbox(60);
    let address = format!("{}\n", env.sandbox().url());
    let both = client(&env);
    let questions = [
        (PROVIDER, "\n"),
        (ADDRESS, &*address),
        (ID, &*both),
        (NAME, "\n"),
    ];
    for (n, (question, _)) in questions.iter().enumerate() {
        for (key, ended) in [
            ("\u{3}", (None, Some(Signal::INT.as_raw()))),
            ("\u{4}", (Some(64), None)),
        ] {
            let mut terminal = Terminal::start(&env, &["add"], &[]);
            answer(&mut terminal, &questions[..n]);
            terminal.wait_for(question);
            terminal.type_in(key);
            wait_until("jetond to end", || {
                terminal.child.try_wait().unwrap().is_some()
            });
            assert_eq!(terminal.modes(), (true, true), "{question}");
            assert!(terminal.edits_lines(), "{question}");
            let (status, shown) = terminal.end(&env);
            assert_eq!((status.code(), status.signal()), ended, "{shown}");
            assert_nothing_written(&env);
        }
    }
}

#[test]
fn without_a_terminal_add_reports_the_missing_arguments() {
    let env = TestEnv::new();
    for args in [
        &["add"][..],
        &["add", "a"],
        &["add", "--provider", "runai"],
        &["add", "a", "--provider", "oauth2"],
    ] {
        let refused = env.jetond(args);
        assert_eq!(refused.code, 64, "{args:?}: {refused:?}");
        assert_eq!(refused.stdout, "", "{args:?}");
        assert!(!refused.stderr.contains("Provider: "), "{refused:?}");
        let is_told = refused.stderr.contains("the following required arguments")
            || refused.stderr.contains("--provider oauth2 needs --issuer");
        assert!(is_told, "{args:?}: {refused:?}");
    }
    // With `--rebind`, the name of the profile is not guessed either.
    let terminal = Terminal::start(&env, &["add", "--rebind"], &[]);
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(64), "{shown}");
    assert!(shown.contains("<NAME>"), "{shown}");
    assert_nothing_written(&env);
}
