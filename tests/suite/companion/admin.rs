//! The admin socket: which verbs go straight to it, and how an answer redirects a request to it.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::daemon::{ConnectionStep, RecordedRequest, ScriptedDaemon, ok};
use super::run::{assert_refusal, feed, jeton, jeton_at, outcome};
use crate::support::daemon::leave_stale;

/// The answer at the token socket to a verb of the admin socket.
const ADMIN_ONLY: &[(u8, &[u8])] = &[(5, b""), (2, b"jeton: admin only\n"), (3, &[77])];
const DONE: &[(u8, &[u8])] = &[(1, b"done\n"), (3, &[0])];

/// A folder with a daemon's two sockets.
struct SocketPair {
    folder: TempDir,
    tokens: ScriptedDaemon,
    admin: ScriptedDaemon,
}

impl SocketPair {
    fn new(tokens: Vec<ConnectionStep>, admin: Vec<ConnectionStep>) -> Self {
        let folder = TempDir::new().unwrap();
        Self {
            tokens: ScriptedDaemon::at(&folder.path().join("jeton/jeton.sock"), tokens),
            admin: ScriptedDaemon::at(&folder.path().join("jeton-admin/admin.sock"), admin),
            folder,
        }
    }

    /// A pair whose token socket redirects the first request to the admin socket, which then answers with these steps.
    fn sending(admin: Vec<ConnectionStep>) -> Self {
        Self::new(vec![ConnectionStep::Answer(ok(ADMIN_ONLY))], admin)
    }

    fn jeton(&self, args: &[&str]) -> Command {
        jeton_at(&self.tokens.socket, args)
    }

    /// Returns the requests at the token socket and at the admin socket.
    fn asked(self) -> (Vec<RecordedRequest>, Vec<RecordedRequest>) {
        (self.tokens.asked(), self.admin.asked())
    }

    /// Returns the number of requests at each socket.
    fn counts(self) -> (usize, usize) {
        let (tokens, admin) = self.asked();
        (tokens.len(), admin.len())
    }
}

/// Returns a request's fields without the deadline, because that depends on the time already used.
fn fields(asked: &RecordedRequest) -> Vec<(u8, Vec<u8>)> {
    let mut fields = super::daemon::fields(&asked.frame);
    fields.retain(|(tag, _)| *tag != 5);
    fields
}

fn done() -> (i32, String, String) {
    (0, "done\n".into(), String::new())
}

#[test]
fn a_redirect_sends_the_request_to_the_admin_socket() {
    // Both connections stay open, so a companion that reads past the answer would run into its deadline.
    let pair = SocketPair::new(
        vec![ConnectionStep::Hold(ok(&[(5, b"")]))],
        vec![ConnectionStep::Hold(ok(DONE))],
    );
    let mut command = pair.jeton(&["lock", "--json", "p"]);
    command.env("TERM", "dumb");
    assert_eq!(outcome(&command.output().unwrap()), done());
    let (tokens, admin) = pair.asked();
    let ([first], [second]) = (tokens.as_slice(), admin.as_slice()) else {
        panic!("{tokens:?} {admin:?}")
    };
    assert_eq!(first.words(), ["jeton", "lock", "--json", "p"]);
    assert_eq!(fields(first), fields(second));
    assert!(
        second.deadline() <= first.deadline(),
        "both requests share one deadline"
    );
}

#[test]
fn fields_after_a_redirect_are_not_shown() {
    for answer in [
        ADMIN_ONLY.to_vec(),
        // A later daemon may send more in the field, or fields before it.
        [&[(5, b"more".as_slice())], &ADMIN_ONLY[1..]].concat(),
        [&[(99, b"unknown".as_slice())], ADMIN_ONLY].concat(),
        // A repeated redirect counts once.
        [&ADMIN_ONLY[..1], ADMIN_ONLY].concat(),
        vec![(5, b""), (1, b"not this"), (3, &[0])],
        vec![(5, b""), (3, &[])],
    ] {
        let pair = SocketPair::new(
            vec![ConnectionStep::Answer(ok(&answer))],
            vec![ConnectionStep::Answer(ok(DONE))],
        );
        let output = pair.jeton(&["lock"]).output().unwrap();
        assert_eq!(outcome(&output), done(), "{answer:?}");
        assert_eq!(pair.counts(), (1, 1), "{answer:?}");
    }
}

#[test]
fn a_redirect_after_output_is_ignored() {
    for (answer, shown) in [
        (
            vec![(1, b"a".as_slice()), (5, b""), (2, b"b"), (3, &[4])],
            (4, "a", "b"),
        ),
        (
            vec![(2, b"b"), (5, b""), (5, b"x"), (1, b"a"), (3, &[77])],
            (77, "a", "b"),
        ),
        // An empty field, sent as a sign of life.
        (vec![(1, b""), (5, b""), (1, b"a"), (3, &[0])], (0, "a", "")),
        (vec![(3, &[9]), (5, b"")], (9, "", "")),
    ] {
        let pair = SocketPair::new(vec![ConnectionStep::Answer(ok(&answer))], vec![]);
        let output = pair.jeton(&["lock"]).output().unwrap();
        let (code, stdout, stderr) = shown;
        assert_eq!(
            outcome(&output),
            (code, stdout.into(), stderr.into()),
            "{answer:?}"
        );
        assert_eq!(pair.counts(), (1, 0), "{answer:?}");
    }
}

#[test]
fn the_admin_socket_cannot_redirect() {
    let refused = (77, String::new(), "jeton: admin only\n".into());
    // Three cases: an answer redirected it there, its verb goes there, and the user named the socket.
    let pair = SocketPair::sending(vec![ConnectionStep::Answer(ok(ADMIN_ONLY))]);
    let output = pair.jeton(&["lock"]).output().unwrap();
    assert_eq!((outcome(&output), pair.counts()), (refused.clone(), (1, 1)));

    let pair = SocketPair::new(vec![], vec![ConnectionStep::Answer(ok(ADMIN_ONLY))]);
    let output = pair.jeton(&["reload"]).output().unwrap();
    assert_eq!((outcome(&output), pair.counts()), (refused.clone(), (0, 1)));

    let pair = SocketPair::new(vec![], vec![ConnectionStep::Answer(ok(ADMIN_ONLY))]);
    let mut command = pair.jeton(&["lock", "--admin-socket"]);
    let output = command.arg(&pair.admin.socket).output().unwrap();
    assert_eq!((outcome(&output), pair.counts()), (refused.clone(), (0, 1)));

    // The variable names a token socket, whose daemon gets the request again, once.
    let mut steps = vec![];
    steps.resize_with(2, || ConnectionStep::Answer(ok(ADMIN_ONLY)));
    let daemon = ScriptedDaemon::new(steps);
    let mut command = jeton_at(&daemon.socket, &["lock"]);
    let output = command.env("JETON_ADMIN_SOCKET", &daemon.socket).output();
    assert_eq!(outcome(&output.unwrap()), refused);
    assert_eq!(daemon.asked().len(), 2);
}

#[test]
fn standard_input_and_a_redirect_can_be_requested_in_either_order() {
    let line = b"{\"v\":1}\nthe rest\n";
    let inputs = |asked: &[RecordedRequest]| asked.iter().map(|one| one.all(4)).collect::<Vec<_>>();
    let read = vec![b"{\"v\":1}\n".to_vec()];
    let wants_input = || ConnectionStep::Answer(ok(&[(4, &[1])]));

    // The admin socket asks for standard input. If an answer has both fields, the first one counts.
    for first in [ADMIN_ONLY, &[(5, b""), (4, &[1])]] {
        let pair = SocketPair::new(
            vec![ConnectionStep::Answer(ok(first))],
            vec![wants_input(), ConnectionStep::Answer(ok(DONE))],
        );
        let output = feed(&mut pair.jeton(&["unlock"]), line);
        assert_eq!(outcome(&output), done());
        let (tokens, admin) = pair.asked();
        assert_eq!(inputs(&tokens), [Vec::<Vec<u8>>::new()]);
        assert_eq!(inputs(&admin), [vec![], read.clone()]);
    }

    // The token socket asks for standard input. What was read is sent with the redirected request.
    for first in [&[(4, [1].as_slice())][..], &[(4, &[1]), (5, b"")]] {
        let pair = SocketPair::new(
            vec![
                ConnectionStep::Answer(ok(first)),
                ConnectionStep::Answer(ok(ADMIN_ONLY)),
            ],
            vec![ConnectionStep::Answer(ok(DONE))],
        );
        let output = feed(&mut pair.jeton(&["unlock"]), line);
        assert_eq!(outcome(&output), done());
        let (tokens, admin) = pair.asked();
        assert_eq!(inputs(&tokens), [vec![], read.clone()]);
        assert_eq!(inputs(&admin), std::slice::from_ref(&read));
    }

    // A third exchange is refused.
    let pair = SocketPair::sending(vec![wants_input(), wants_input()]);
    let output = feed(&mut pair.jeton(&["unlock"]), line);
    assert_refusal(&output, 75, "standard input again");
    assert_eq!(pair.counts(), (1, 2));
    let pair = SocketPair::new(
        vec![wants_input(), ConnectionStep::Answer(ok(ADMIN_ONLY))],
        vec![wants_input()],
    );
    let output = feed(&mut pair.jeton(&["unlock"]), line);
    assert_refusal(&output, 75, "standard input again");
    assert_eq!(pair.counts(), (2, 1));
}

#[test]
fn one_deadline_covers_both_sockets() {
    let pair = SocketPair::sending(vec![ConnectionStep::Hold(vec![])]);
    let mut command = pair.jeton(&["lock", "--timeout", "2"]);
    assert_refusal(&command.output().unwrap(), 75, "no answer in time");
    let (tokens, admin) = pair.asked();
    assert!(admin[0].deadline() <= tokens[0].deadline());
    assert!(tokens[0].deadline() <= Some(2_000));
}

#[test]
fn the_admin_sockets_answer_is_final() {
    // A problem is reported in the daemon's words.
    let problem = b"HTTP/1.1 403 x\r\n\r\n{\"code\":\"forbidden\",\"detail\":\"not you\"}";
    let pair = SocketPair::sending(vec![ConnectionStep::Answer(problem.to_vec())]);
    assert_refusal(&pair.jeton(&["lock"]).output().unwrap(), 77, "not you");
    // An answer that breaks off.
    let pair = SocketPair::sending(vec![ConnectionStep::Answer(ok(&[(1, b"")]))]);
    assert_refusal(&pair.jeton(&["lock"]).output().unwrap(), 75, "broke off");
    // At both sockets, a connection that breaks before the answer is retried once.
    let pair = SocketPair::new(
        vec![
            ConnectionStep::Close,
            ConnectionStep::Answer(ok(ADMIN_ONLY)),
        ],
        vec![ConnectionStep::Close, ConnectionStep::Answer(ok(DONE))],
    );
    assert_eq!(outcome(&pair.jeton(&["lock"]).output().unwrap()), done());
    assert_eq!(pair.counts(), (2, 2));
    let pair = SocketPair::sending(vec![ConnectionStep::Close, ConnectionStep::Close]);
    let output = pair.jeton(&["lock"]).output().unwrap();
    assert_refusal(&output, 75, "broke before the answer");
    assert_eq!(pair.counts(), (1, 2));
    // The size limit is that of the token socket.
    let long = vec![b'x'; 200_000];
    let pair = SocketPair::new(
        vec![ConnectionStep::Answer(ok(&[(99, &long), (5, b"")]))],
        vec![ConnectionStep::Answer(ok(&[(1, &long), (3, &[0])]))],
    );
    let output = pair.jeton(&["lock"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), long));
}

#[test]
fn a_missing_admin_socket_is_reported_in_one_line() {
    let absent = "the daemon does this at its admin socket, and nothing listens at ";
    for stale in [false, true] {
        let folder = TempDir::new().unwrap();
        let tokens = ScriptedDaemon::at(
            &folder.path().join("jeton/jeton.sock"),
            vec![ConnectionStep::Answer(ok(ADMIN_ONLY))],
        );
        let admin = folder.path().join("jeton-admin/admin.sock");
        if stale {
            fs::create_dir_all(admin.parent().unwrap()).unwrap();
            leave_stale(&admin);
        }
        let output = jeton_at(&tokens.socket, &["lock"]).output().unwrap();
        assert_refusal(&output, 69, &format!("{absent}{} (", admin.display()));
        tokens.asked_once();
    }
    // A relative path above the current folder does not say which folder it is in, so the companion guesses nothing.
    let pair = SocketPair::sending(vec![]);
    let mut command = jeton_at(Path::new("../jeton.sock"), &["lock"]);
    let within = pair.folder.path().join("jeton/within");
    fs::create_dir(&within).unwrap();
    let output = command.current_dir(within).output().unwrap();
    assert_refusal(&output, 64, "name it with --admin-socket: ../jeton.sock");
    // Not another daemon's: the one at the usual place is not the one that answered.
    let (pair, other) = (SocketPair::sending(vec![]), SocketPair::sending(vec![]));
    fs::remove_file(&pair.admin.socket).unwrap();
    let mut command = pair.jeton(&["lock"]);
    let output = command.env("XDG_RUNTIME_DIR", other.folder.path()).output();
    assert_refusal(&output.unwrap(), 69, "nothing listens at ");
    assert_eq!(other.counts(), (0, 0));
}

/// Builds a command whose daemon has its sockets in this folder.
type CommandBuilder = fn(&Path) -> Command;

#[test]
fn the_admin_socket_is_the_one_beside_the_token_socket_that_answered() {
    let ways: [CommandBuilder; 4] = [
        |folder| {
            let mut command = jeton();
            command.env("XDG_RUNTIME_DIR", folder);
            command
        },
        |folder| jeton_at(&folder.join("jeton/jeton.sock"), &[]),
        |folder| {
            let mut command = jeton_at(Path::new("/nowhere"), &["--socket=jeton/jeton.sock"]);
            command.current_dir(folder);
            command
        },
        |folder| {
            let mut command = jeton_at(Path::new("jeton.sock"), &[]);
            command.current_dir(folder.join("jeton"));
            command
        },
    ];
    for way in ways {
        let pair = SocketPair::sending(vec![ConnectionStep::Answer(ok(DONE))]);
        let mut command = way(pair.folder.path());
        command.env("JETON_ADMIN_SOCKET", "");
        assert_eq!(outcome(&command.arg("lock").output().unwrap()), done());
        assert_eq!(pair.counts(), (1, 1));
    }
    // If the variable names a socket, that one is used.
    let pair = SocketPair::sending(vec![]);
    let named = ScriptedDaemon::new(vec![ConnectionStep::Answer(ok(DONE))]);
    let mut command = pair.jeton(&["lock"]);
    let output = command.env("JETON_ADMIN_SOCKET", &named.socket).output();
    assert_eq!(outcome(&output.unwrap()), done());
    named.asked_once();
    assert_eq!(pair.counts(), (1, 0));
}

#[test]
fn reload_and_the_option_admin_socket_skip_the_token_socket() {
    let admin = |_: &Path, daemon: &ScriptedDaemon| {
        vec![PathBuf::from("--admin-socket"), daemon.socket.clone()]
    };
    let none = |_: &Path, _: &ScriptedDaemon| vec![];
    for (words, options) in [
        (
            &["reload"][..],
            none as fn(&Path, &ScriptedDaemon) -> Vec<PathBuf>,
        ),
        (&["reload"], admin),
        (&["lock"], admin),
        (&["token", "p"], admin),
        (&["ready", "--wait", "9"], admin),
    ] {
        let pair = SocketPair::new(vec![], vec![ConnectionStep::Answer(ok(DONE))]);
        let mut command = pair.jeton(words);
        command.args(options(pair.folder.path(), &pair.admin));
        assert_eq!(outcome(&command.output().unwrap()), done(), "{words:?}");
        let (tokens, admin) = pair.asked();
        assert_eq!((tokens.len(), admin.len()), (0, 1), "{words:?}");
        assert_eq!(&admin[0].words()[1..], words);
    }
    // If the named socket is missing, the companion says so and tries no other place.
    let pair = SocketPair::new(vec![], vec![]);
    let output = pair.jeton(&["lock", "--admin-socket=/nowhere"]).output();
    assert_refusal(
        &output.unwrap(),
        69,
        "nothing listens at /nowhere (start it with 'jetond run', or name its socket with --admin-socket",
    );
    assert_eq!(pair.counts(), (0, 0));
    // The variable alone redirects no verb.
    let pair = SocketPair::new(vec![ConnectionStep::Answer(ok(DONE))], vec![]);
    let mut command = pair.jeton(&["rotate"]);
    let output = command
        .env("JETON_ADMIN_SOCKET", &pair.admin.socket)
        .output();
    assert_eq!(outcome(&output.unwrap()), done());
    assert_eq!(pair.counts(), (1, 0));
}

#[test]
fn a_reload_is_not_sent_again_when_the_daemon_dies() {
    for step in [ConnectionStep::Close, ConnectionStep::Reset] {
        let pair = SocketPair::new(vec![], vec![step]);
        let output = pair.jeton(&["reload"]).output().unwrap();
        assert_refusal(&output, 75, "the connection broke before the answer");
        assert!(pair.asked().1.len() <= 1);
    }
}

#[test]
fn a_reload_ends_when_the_process_in_mainpid_ends() {
    // A socket that listens and accepts nothing, like that of a stopped or dead daemon.
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("admin.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let mut daemon = Command::new("sleep").arg("600").spawn().unwrap();
    let reload = |pid: &str| {
        let mut command = jeton();
        command.args(["reload", "--timeout", "600", "--admin-socket"]);
        command.arg(&socket).env("MAINPID", pid);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let pid = daemon.id().to_string();
    let waiting = reload(&pid);
    // By now the companion has connected and sent its request.
    let (mut asked, _) = listener.accept().unwrap();
    asked.read_exact(&mut [0; 64]).unwrap();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let late = reload(&pid);
    for child in [waiting, late] {
        let output = child.wait_with_output().unwrap();
        assert_refusal(&output, 75, "the daemon ended before it answered");
    }
    // A value that is not a process ID is ignored.
    for pid in ["", "x", "99999999999"] {
        let pair = SocketPair::new(vec![], vec![ConnectionStep::Answer(ok(DONE))]);
        let output = pair.jeton(&["reload"]).env("MAINPID", pid).output();
        assert_eq!(outcome(&output.unwrap()), done(), "{pid}");
    }
    // Other verbs ignore the variable.
    let pair = SocketPair::new(vec![ConnectionStep::Answer(ok(DONE))], vec![]);
    let output = pair.jeton(&["status"]).env("MAINPID", &pid).output();
    assert_eq!(outcome(&output.unwrap()), done());
}

#[test]
fn exec_redirected_to_the_admin_socket_keeps_the_token_sockets_path() {
    let token = || ConnectionStep::Answer(ok(&[(1, b"T0KEN\n"), (3, &[0])]));
    let sent = SocketPair::new(
        vec![
            ConnectionStep::Answer(ok(ADMIN_ONLY)),
            ConnectionStep::Close,
        ],
        vec![token()],
    );
    let straight = SocketPair::new(vec![ConnectionStep::Close], vec![token()]);
    let named = straight.admin.socket.clone();
    for (pair, option, asked) in [(sent, None, (1, 1)), (straight, Some(named), (0, 1))] {
        let mut command = pair.jeton(&["exec", "--env", "T"]);
        if let Some(path) = option {
            command.arg("--admin-socket").arg(path);
        }
        let output = command.args(["--", "/usr/bin/env"]).output().unwrap();
        let (code, stdout, stderr) = outcome(&output);
        assert_eq!((code, stderr.as_str()), (0, ""));
        let mut variables: Vec<_> = stdout.lines().collect();
        variables.sort_unstable();
        let socket = format!("JETON_SOCKET={}", pair.tokens.socket.display());
        assert_eq!(variables, [socket.as_str(), "T=T0KEN"]);
        assert_eq!(pair.counts(), asked);
    }
}
