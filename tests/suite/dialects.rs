//! Failures in every dialect: standard output is empty or has the dialect's own refusal, the exit code is the
//! dialect's, and standard error has one line.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use jetond::dialect::{self, NextStep};
use jetond::instant::{BootInstant, Now, UnixTime};
use jetond::problem::{Code, Problem, TABLE};
use jetond::profile::ProfileName;
use jetond::query::{PrintContext, Question};
use jetond::wire::frame::{Invocation, Reply};

use crate::enrol::write_config;
use crate::sharing::{ALICE, shared_place, start_shared};
use crate::support::TestEnv;
use crate::support::daemon::Daemon;
use crate::support::env::Output;
use crate::support::tools::{self, FilledRequest, Request};
use crate::support::users::{install, is_root_or_skip};

/// An address of the profile `research`, and one of the profile `empty`, which has no token.
const RESEARCH: &str = "https://git.example:8443";
const EMPTY: &str = "https://empty.example:8443";

/// An address that belongs to no profile.
const ABSENT: &str = "https://absent.example:8443";

/// Returns the requests for a token in the dialects that this daemon knows.
fn requests() -> Vec<Request> {
    let mut requests = tools::all();
    requests.retain(|request| request.gets_a_token() && request.is_known());
    let tools: Vec<_> = requests.iter().map(|request| &*request.tool).collect();
    for tool in ["git", "token", "header"] {
        assert!(tools.contains(&tool), "there is no request of {tool}");
    }
    requests
}

/// Describes what is wrong with the result of a request that failed with this code. Returns `None` if it is right.
fn fault(request: &Request, code: Code, exit: i32, stdout: &str, stderr: &str) -> Option<String> {
    let row = code.row();
    let (own_exit, own_stdout) = match request.refusal(row.name) {
        Some(own) => (own.exit, own.stdout.as_str()),
        None => (row.exit, ""),
    };
    let line = stderr.strip_suffix('\n').unwrap_or_default();
    let is_line = line.starts_with("jeton: ") && !line.contains(|c: char| c.is_control());
    let is_right = exit == i32::from(own_exit) && stdout == own_stdout && is_line;
    let what = (&request.tool, &request.name, row.name);
    (!is_right).then(|| format!("{what:?} ended with {exit}: {stdout:?} {stderr:?}"))
}

fn demand(faults: &[String]) {
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Describes what is wrong with the output of a request that failed with this code. Returns `None` if it is right.
fn fault_of(request: &Request, code: Code, output: &Output) -> Option<String> {
    fault(request, code, output.code, &output.stdout, &output.stderr)
}

/// Starts a daemon whose profile `research` has a token and whose profile `empty` has none, because its issuer fails.
fn serving() -> (TestEnv, Daemon) {
    let mut env = TestEnv::with_sandbox(3_600);
    let fails = env.add_sandbox(jetond::sandbox::Line::V2_24, 3_600);
    env.enrol("research");
    env.enrol_at("empty", &env.sandboxes()[fails].url());
    let mut config = fs::read_to_string(env.config()).unwrap();
    for (profile, url) in [("research", RESEARCH), ("empty", EMPTY)] {
        config.push_str(&format!("[[profiles.{profile}.hosts]]\nurl = \"{url}\"\n"));
    }
    write_config(&env, config);
    env.fault_at(fails, "status:503");
    let daemon = env.start();
    env.token(&daemon, "research");
    (env, daemon)
}

#[test]
fn every_problem_code_is_refused_in_the_protocols_form() {
    let research = ProfileName::parse("research").unwrap();
    let mut faults = vec![];
    for request in requests() {
        let filled = request.filled(RESEARCH, "research");
        for row in TABLE {
            let problem = Problem::new(row.code)
                .of(&research)
                .until(Some(UnixTime::from_epoch(Duration::from_secs(
                    1_800_000_090,
                ))));
            let reply = refused(&filled, &problem);
            let stdout = String::from_utf8(reply.stdout.to_vec()).unwrap();
            faults.extend(fault(
                &request,
                row.code,
                reply.exit.into(),
                &stdout,
                &reply.stderr,
            ));
        }
    }
    demand(&faults);
}

/// Returns the output of a request that fails with this problem.
fn refused(filled: &FilledRequest, problem: &Problem) -> Reply {
    let run = Invocation::parse(&filled.frame()).unwrap();
    let around = PrintContext {
        now: Now {
            boot: BootInstant::from_boot(Duration::from_secs(10_000)),
            unix: UnixTime::from_epoch(Duration::from_secs(1_800_000_000)),
        },
        socket: "/run/jeton/jeton.sock",
    };
    let own = match dialect::parse(&run) {
        NextStep::Ask(Question::Token(_, print)) => print.refuse(problem, around),
        NextStep::Ask(Question::Address(_, print)) => print.refuse(problem, around),
        _ => panic!("{run:?} requests no token"),
    };
    own.unwrap_or_else(|| dialect::failure(problem, around.now))
}

#[test]
fn every_protocol_gets_a_token_for_its_addresses_only() {
    let (env, mut daemon) = serving();
    let requests = requests();
    let mut faults = vec![];
    for request in &requests {
        let served = request.filled(RESEARCH, "research").run(&env, true);
        // A second kube request from the same process triggers a refresh of the token.
        let has_token = served.stdout.contains(&env.token(&daemon, "research"));
        if (served.code, served.stderr.as_str(), has_token) != (0, "", true) {
            faults.push(format!("{} {}: {served:?}", request.tool, request.name));
        }
        let wrong = |url: &str, profile: &str, code| {
            let output = request.filled(url, profile).run(&env, false);
            fault_of(request, code, &output)
        };
        if request.has_address() {
            faults.extend(wrong(ABSENT, "research", Code::UnknownProfile));
            // The address belongs to another profile than the named one.
            if request.has_profile() {
                faults.extend(wrong(EMPTY, "research", Code::UnknownProfile));
                faults.extend(wrong(RESEARCH, "empty", Code::UnknownProfile));
            }
            for near in [
                "https://git.example",
                "https://git.example:8444",
                "https://sub.git.example:8443",
                "http://127.0.0.1:8443",
            ] {
                faults.extend(wrong(near, "research", Code::UnknownProfile));
            }
        }
        if request.has_profile() {
            faults.extend(wrong(RESEARCH, "absent", Code::UnknownProfile));
        }
    }
    faults.extend(without_a_token(&env, &requests));
    env.stop(&mut daemon);
    demand(&faults);
}

/// Describes what is wrong with the results of requests for a profile without a token. All run at the same time,
/// because each waits until its own deadline.
fn without_a_token(env: &TestEnv, requests: &[Request]) -> Vec<String> {
    let start = |request: &Request| {
        let filled = request.filled(EMPTY, "empty");
        let mut command = filled.command(env);
        let piped = || Stdio::piped();
        command.stdin(piped()).stdout(piped()).stderr(piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that does not read its input may have ended already.
        let _ = stdin.write_all(filled.stdin.as_bytes());
        child
    };
    let children: Vec<_> = requests.iter().map(start).collect();
    let ends = children
        .into_iter()
        .zip(requests)
        .filter_map(|(child, request)| {
            let output = child.wait_with_output().unwrap();
            let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| {
                env.add_output("a refused request", &bytes, false);
                String::from_utf8(bytes).unwrap()
            });
            let exit = output.status.code().unwrap();
            fault(request, Code::Unavailable, exit, &stdout, &stderr)
        });
    ends.collect()
}

#[test]
fn without_a_daemon_every_protocol_prints_one_error_line() {
    let env = TestEnv::new();
    let mut faults = vec![];
    for request in tools::all() {
        let output = request.filled(RESEARCH, "research").run(&env, false);
        let is_line = output.stderr.starts_with("jeton: ") && output.stderr.lines().count() == 1;
        if (output.code, output.stdout.as_str(), is_line) != (69, "", true) {
            faults.push(format!("{} {}: {output:?}", request.tool, request.name));
        }
    }
    demand(&faults);
}

#[test]
fn a_forbidden_profile_looks_like_a_missing_one_in_every_protocol() {
    if !is_root_or_skip("a_forbidden_profile_looks_like_a_missing_one_in_every_protocol") {
        return;
    }
    let env = shared_place();
    let mut config = fs::read_to_string(env.config()).unwrap();
    config.push_str("[socket]\nmode = \"all\"\n[[profiles.ci.allow]]\nuid = 60001\n");
    for (profile, url) in [
        ("ci", "https://ci.example:8443"),
        ("research", RESEARCH),
        ("research", "https://ci.example:8443/secret"),
    ] {
        config.push_str(&format!("[[profiles.{profile}.hosts]]\nurl = \"{url}\"\n"));
    }
    write_config(&env, config);
    let mut daemon = start_shared(&env);
    env.token(&daemon, "ci");
    let jeton = install(env!("CARGO_BIN_EXE_jeton"));
    let run = |request: &Request, url: &str, profile: &str, token_asked_for: bool| {
        let filled = request.filled(url, profile);
        let args = request.as_verb(&filled);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let mut command = ALICE.command(&env, &jeton.program, &args);
        filled.set(&mut command);
        command.env("JETON_SOCKET", &daemon.socket);
        env.finish(
            "jeton of alice",
            command,
            filled.stdin.as_bytes(),
            token_asked_for,
        )
    };
    let mut faults = vec![];
    let mut same = |request: &Request, forbidden: Output, absent: Output| {
        let told = |output: &Output| {
            let text = output.stderr.replace("research", "absent");
            (
                output.code,
                output.stdout.replace("git.example", "absent.example"),
                text.replace("git.example", "absent.example"),
            )
        };
        if told(&forbidden) != told(&absent) {
            faults.push(format!(
                "{} {}: {forbidden:?} {absent:?}",
                request.tool, request.name
            ));
        }
    };
    let requests: Vec<_> = tools::all().into_iter().filter(Request::is_known).collect();
    for request in &requests {
        let url = if request.has_address() {
            ABSENT
        } else {
            RESEARCH
        };
        if request.gets_a_token() {
            // The caller gets the profiles that it may use, also below the address of a forbidden entry, as if that
            // entry did not exist.
            for url in [
                "https://ci.example:8443",
                "https://ci.example:8443/secret/x",
            ] {
                let served = run(request, url, "ci", true);
                let token = env.token(&daemon, "ci");
                assert!(served.stdout.contains(&token), "{request:?}: {served:?}");
            }
            assert_ne!(
                run(request, RESEARCH, "research", false).code,
                0,
                "{request:?}"
            );
        }
        if request.has_address() {
            same(
                request,
                run(request, RESEARCH, "ci", false),
                run(request, ABSENT, "ci", false),
            );
        }
        if request.has_profile() {
            same(
                request,
                run(request, url, "research", false),
                run(request, url, "absent", false),
            );
        }
        let said = run(
            request,
            ABSENT,
            "ci",
            request.gets_a_token() && !request.has_address(),
        );
        for text in [said.stdout, said.stderr] {
            assert!(
                !text.contains("secret") && !text.contains("research"),
                "{request:?}: {text}"
            );
        }
    }
    demand(&faults);
    env.stop(&mut daemon);
}
