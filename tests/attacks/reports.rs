//! False reports: an allowed user reports each of its tokens as rejected.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::TestEnv;
use crate::support::daemon::{accepts, wait_until};
use crate::support::http::{self, Response};
use crate::support::users::{User, is_root_or_skip};

const HOSTILE: User = User {
    uid: 60_011,
    gid: 60_011,
    groups: &[],
};
const HONEST: User = User {
    uid: 60_012,
    gid: 60_012,
    groups: &[],
};
const OWNER: User = User {
    uid: 0,
    gid: 0,
    groups: &[],
};

const TOKEN: &str = "/v1/profiles/research/token";

/// Makes one request of a user on a new connection.
fn ask(
    env: &TestEnv,
    user: User,
    socket: &Path,
    method: &str,
    target: &str,
    body: &str,
) -> Response {
    let mut stream = user.connect(socket);
    let length = body.len();
    let text = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let answer = http::read_response(&mut stream).unwrap();
    env.add_output(target, &answer.body, answer.status == 200);
    answer
}

/// Reports the held token as rejected and returns the answer.
fn report(env: &TestEnv, user: User, socket: &Path) -> Response {
    let held = ask(env, user, socket, "GET", TOKEN, "");
    assert_eq!(held.status, 200, "{held:?}");
    let generation = &held.json()["generation"];
    let body = format!("{{\"generation\":{generation}}}");
    ask(env, user, socket, "POST", &format!("{TOKEN}/reject"), &body)
}

#[test]
fn a_cool_down_applies_only_to_the_user_whose_reports_caused_it() {
    if !is_root_or_skip("a_cool_down_applies_only_to_the_user_whose_reports_caused_it") {
        return;
    }
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    fs::set_permissions(env.path(""), Permissions::from_mode(0o711)).unwrap();
    let profiles = fs::read_to_string(env.config()).unwrap();
    let rules = "[[profiles.research.allow]]\nuid = '60011-60012'\n";
    fs::write(
        env.config(),
        format!("[socket]\nmode = 'all'\n\n{profiles}\n{rules}"),
    )
    .unwrap();
    let socket = env.path("shared/jeton.sock");
    let command = env.jetond_command(&["run", "--socket", socket.to_str().unwrap()]);
    let mut daemon = env.spawn_command(command);
    socket.clone_into(&mut daemon.socket);
    daemon.admin = env.path("shared-admin/admin.sock");
    wait_until("the daemon to serve", || accepts(&socket));
    wait_until("a token", || {
        ask(&env, HONEST, &socket, "GET", TOKEN, "").status == 200
    });
    for _ in 0..2 {
        assert_eq!(report(&env, HOSTILE, &socket).status, 200);
    }
    let told = report(&env, HOSTILE, &socket);
    assert_eq!((told.status, told.code().as_str()), (503, "cooling_down"));
    assert!(told.json()["retry_at"].is_u64(), "{told:?}");
    let before = env.sandbox().stats().token_requests;
    for (count, user) in (1..).zip([HONEST, OWNER]) {
        let next = report(&env, user, &socket);
        assert_eq!(next.status, 200, "{}: {next:?}", user.uid);
        assert_eq!(env.sandbox().stats().token_requests, before + count);
        let told = report(&env, HOSTILE, &socket);
        assert_eq!((told.status, told.code().as_str()), (503, "cooling_down"));
        assert_eq!(env.sandbox().stats().token_requests, before + count);
    }
    env.stop(&mut daemon);
}
