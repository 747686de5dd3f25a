//! Recorded requests of every released companion, read by the daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jetond::wire::frame::Invocation;

use crate::support::TestEnv;
use crate::support::daemon::Daemon;
use crate::support::http::Response;

/// Returns the folders of the recorded runs.
fn runs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap();
        let mut folders: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
        folders.retain(|path| path.is_dir());
        folders.sort();
        folders
    };
    let runs: Vec<_> = below(&root)
        .iter()
        .flat_map(|release| below(release))
        .collect();
    assert!(runs.len() >= 16, "{runs:?}");
    runs
}

fn lines(path: PathBuf) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_daemon_parses_the_recorded_requests() {
    for run in runs() {
        let argv = lines(run.join("argv"));
        let env: Vec<_> = lines(run.join("env"));
        for name in [
            "request.bin",
            "request-2.bin",
            "request-admin.bin",
            "request-admin-2.bin",
        ] {
            let Ok(bytes) = fs::read(run.join(name)) else {
                assert_ne!(name, "request.bin", "{}", run.display());
                continue;
            };
            let read = Invocation::parse(&bytes).unwrap();
            // The companion does not send the command of `exec`.
            let sent = argv.split(|word| word == "--").next().unwrap();
            assert_eq!(read.args, sent, "{}", run.display());
            let mut sent: Vec<_> = read.env.iter().map(|(n, v)| format!("{n}={v}")).collect();
            sent.sort();
            assert_eq!(sent, env, "{}", run.display());
            // A watch has no deadline.
            let deadline = (argv[1] != "watch").then_some(Duration::from_secs(30));
            assert_eq!(read.deadline, deadline);
            assert!(!read.terminal.input && !read.terminal.output && !read.terminal.error);
            // Standard input is sent in the second exchange at a socket. It is also in the first exchange at the admin
            // socket, if it was read before that.
            let with_input = match name {
                "request.bin" => false,
                "request-admin.bin" => run.join("request-2.bin").exists(),
                _ => true,
            };
            assert_eq!(read.stdin.is_some(), with_input, "{}", run.display());
            // The whole standard input, or its first line.
            let recorded = fs::read(run.join("stdin")).unwrap_or_default();
            let sent = read.stdin.unwrap_or_default();
            assert!(recorded.starts_with(&sent), "{}", run.display());
        }
    }
}

fn helper(env: &TestEnv, daemon: &Daemon, run: &str) -> Response {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/0.1.0");
    let frame = fs::read(root.join(run).join("request.bin")).unwrap();
    let answer = env.request(&daemon.socket, "POST", "/v1/helper", &[], &frame);
    assert_eq!(answer.status, 200, "{run}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer
}

/// Decodes the fields of an answer.
fn fields(mut frame: &[u8]) -> Vec<(u8, String)> {
    assert_eq!(frame.first(), Some(&1));
    frame = &frame[1..];
    let mut fields = vec![];
    while let [tag, a, b, c, d, rest @ ..] = frame {
        let (payload, after) = rest.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        fields.push((*tag, String::from_utf8(payload.to_vec()).unwrap()));
        frame = after;
    }
    assert_eq!(frame, b"");
    fields
}

#[test]
fn an_old_companion_gets_the_recorded_answers() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    for (run, answer) in [
        ("ready", vec![(3, "\0".to_owned())]),
        (
            "refresh",
            vec![
                (1, "research: a new token, valid for 59 min\n".to_owned()),
                (3, "\0".to_owned()),
            ],
        ),
    ] {
        assert_eq!(fields(&helper(&env, &daemon, run).body), answer, "{run}");
    }
    let newer = env.token(&daemon, "research");
    assert_ne!(newer, token);
    let allowed = |run: &str| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/0.1.0");
        let frame = fs::read(root.join(run).join("request.bin")).unwrap();
        // Not with the method of `TestEnv`, because this answer may contain a token.
        let answer =
            crate::support::http::request(&daemon.socket, "POST", "/v1/helper", &[], &frame);
        fields(&answer.body)
    };
    assert_eq!(
        allowed("token"),
        [(1, format!("{newer}\n")), (3, "\0".to_owned())]
    );
    assert_eq!(
        allowed("header"),
        [
            (1, format!("Authorization: Bearer {newer}\n")),
            (3, "\0".to_owned())
        ]
    );
    // Exit code 78 and one line on standard error.
    let refused = fields(&helper(&env, &daemon, "token-refused").body);
    assert_eq!(refused.last(), Some(&(3, "N".to_owned())));
    assert!(
        refused[0].0 == 2
            && refused[0]
                .1
                .starts_with("jeton: absent: there is no such profile")
    );
    // Exit code 77, because this is the token socket. The field before it redirects companions that know it.
    let refusal = "jeton: this is done through the admin socket only\n".to_owned();
    let refused = [(2, refusal), (3, "M".to_owned())];
    let at_tokens = fields(&helper(&env, &daemon, "reload").body);
    assert_eq!(at_tokens[0], (5, String::new()));
    assert_eq!(at_tokens[1..], refused);
    // The admin socket obeys the request and redirects nothing.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/0.1.0");
    let frame = fs::read(root.join("reload/request.bin")).unwrap();
    let answer = env.request(&daemon.admin, "POST", "/v1/helper", &[], &frame);
    let done = "reloaded: 0 added, 0 removed, 0 changed, 1 unchanged\n".to_owned();
    assert_eq!(fields(&answer.body), [(1, done), (3, "\0".to_owned())]);
    // git's helper reads its standard input to the end.
    assert_eq!(
        fields(&helper(&env, &daemon, "stdin-all").body),
        [(4, "\0".to_owned())]
    );
    env.stop(&mut daemon);
}
