//! The user's process limit, reached before the daemon starts or while it runs: what needs another thread fails with
//! the reason, and everything else continues.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use jetond::sandbox::Line;
use rustix::process::{Resource, Signal, getrlimit};

use crate::support::daemon::{Daemon, wait_until};
use crate::support::http::Response;
use crate::support::users::{Installed, User, install, is_root_or_skip};
use crate::support::{TestEnv, ignored};

/// A user with no other process, because the limit counts all of them.
const LIMITED: User = User {
    uid: 60_071,
    gid: 60_071,
    groups: &[],
};

/// More such users, for tests that run at the same time.
const LIMITED_FROM_THE_START: User = User {
    uid: 60_072,
    gid: 60_072,
    groups: &[],
};
const LIMITED_TO_EIGHT: User = User {
    uid: 60_074,
    gid: 60_074,
    groups: &[],
};
const LIMITED_COMMANDS: User = User {
    uid: 60_073,
    gid: 60_073,
    groups: &[],
};

/// A host name that only the test environment's hosts file resolves.
const NAME: &str = "issuer.jeton.test";

/// An environment that belongs to this user, with two profiles: `literal` at an IP address, `named` at a host name.
struct LimitedEnv {
    env: TestEnv,
    user: User,
    jetond: Installed,
    hosts: PathBuf,
}

impl LimitedEnv {
    /// Prints the reason and returns `None` if this machine cannot run the test.
    fn new(test: &str, user: User, token_life: u64) -> Option<Self> {
        if !is_root_or_skip(test) {
            return None;
        }
        let mut env = TestEnv::with_sandbox(token_life);
        env.add_sandbox_that(Line::V2_24, token_life, |options| {
            options.tls = true;
            options.names = vec![NAME.to_owned()];
        });
        let ca = env.ca_file(1).unwrap();
        let hosts = env.path("hosts");
        fs::write(&hosts, format!("127.0.0.1 localhost {NAME}\n")).unwrap();
        let secret = env.secret_file();
        for (path, mode) in [("", 0o711), ("hosts", 0o644), ("sandbox-1.pem", 0o644)] {
            fs::set_permissions(env.path(path), PermissionsExt::from_mode(mode)).unwrap();
        }
        for path in ["home", "run", "state", "config", "tmp", "secret"] {
            chown(env.path(path), Some(user.uid), Some(user.gid)).unwrap();
        }
        let place = Self {
            env,
            user,
            jetond: install(env!("CARGO_BIN_EXE_jetond")),
            hosts,
        };
        let possible = Command::new("unshare").args(["-m", "true"]).status();
        if !possible.is_ok_and(|status| status.success()) {
            ignored(&format!("{test}: no mount namespaces here"));
            return None;
        }
        let literal = place.env.sandboxes().first().unwrap().url();
        let named = place.env.sandboxes().get(1).unwrap().url();
        let named = named.replace("127.0.0.1", NAME);
        for (profile, url, more) in [
            ("literal", literal, vec![]),
            ("named", named, vec!["--ca-file", &ca]),
        ] {
            let mut args = vec!["add", profile, "--provider", "runai", "--url", &url];
            args.extend(["--client-id", "test-client", "--client-secret-file"]);
            args.push(secret.to_str().unwrap());
            args.extend(more);
            let command = place.command(&[], &args);
            let added = place.env.finish("jetond add", command, b"", false);
            assert_eq!(added.code, 0, "{added:?}");
        }
        Some(place)
    }

    /// Runs `jetond` as the user in a mount namespace with the environment's hosts file. `before` precedes it on the
    /// command line.
    fn command(&self, before: &[&str], args: &[&str]) -> Command {
        let mut command = self.env.command("unshare");
        command
            .args(["-m", "sh", "-c"])
            .arg("mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"")
            .arg("sh")
            .arg(&self.hosts)
            .arg("setpriv")
            .args(self.user.setpriv())
            .args(before)
            .arg(&self.jetond.program)
            .args(args);
        command
    }

    /// Returns the state of a profile.
    fn state(&self, daemon: &Daemon, profile: &str) -> serde_json::Value {
        self.env
            .get(daemon, &format!("/v1/profiles/{profile}"))
            .json()
    }

    fn reload(&self, daemon: &Daemon) -> Response {
        self.env
            .request(&daemon.admin, "POST", "/v1/reload", &[], b"")
    }
}

/// Limits the processes and threads of the daemon's user. Done as that user, because in some containers root may not do
/// it.
fn limit(daemon: &Daemon, user: User, most: Option<u64>) {
    let most = most.or(getrlimit(Resource::Nproc).maximum);
    let most = most.map_or("unlimited".to_owned(), |most| most.to_string());
    let done = Command::new("setpriv")
        .args(user.setpriv())
        .arg("prlimit")
        .arg(format!("--pid={}", daemon.child.id()))
        .arg(format!("--nproc={most}:"))
        .status();
    assert!(done.unwrap().success());
}

fn generation(state: &serde_json::Value) -> u64 {
    state["generation"].as_u64().unwrap()
}

#[test]
fn at_the_process_limit_reloads_fail_and_tokens_stay_fresh() {
    let test = "at_the_process_limit_reloads_fail_and_tokens_stay_fresh";
    let Some(place) = LimitedEnv::new(test, LIMITED, 10) else {
        return;
    };
    let mut daemon = place.env.start_command(place.command(&[], &["run"]));
    let profiles = ["literal", "named"];
    for profile in profiles {
        place.env.token(&daemon, profile);
    }
    limit(&daemon, place.user, Some(1));
    let before = profiles.map(|profile| generation(&place.state(&daemon, profile)));
    // A configuration that would remove both profiles if the daemon read it.
    let config = fs::read(place.env.config()).unwrap();
    fs::write(place.env.config(), "# no profiles\n").unwrap();
    wait_until("two more tokens of each profile", || {
        let reloaded = place.reload(&daemon);
        assert_eq!(
            (reloaded.status, reloaded.code().as_str()),
            (503, "unavailable"),
            "{reloaded:?}"
        );
        let detail = reloaded.json()["detail"].to_string();
        assert!(detail.contains("refuses another thread"), "{detail}");
        daemon.signal(Signal::HUP);
        profiles.iter().zip(before).all(|(profile, before)| {
            place.env.token(&daemon, profile);
            let state = place.state(&daemon, profile);
            generation(&state) >= before + 2
        })
    });
    assert!(daemon.child.try_wait().unwrap().is_none());
    // There is no idle thread left. Otherwise code that panics without a new thread could reuse one and pass the test.
    let names = daemon.threads();
    assert!(
        names
            .iter()
            .all(|name| ["jetond", "resolver", "log", "issuers"].contains(&&**name)),
        "{names:?}"
    );
    assert!(names.iter().any(|name| name == "resolver"), "{names:?}");
    fs::write(place.env.config(), config).unwrap();
    limit(&daemon, place.user, None);
    let reloaded = place.reload(&daemon);
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    assert_eq!(reloaded.json()["kept"], 2, "{reloaded:?}");
    place.env.stop(&mut daemon);
}

#[test]
fn a_daemon_started_at_the_process_limit_serves_once_it_is_lifted() {
    let test = "a_daemon_started_at_the_process_limit_serves_once_it_is_lifted";
    let Some(place) = LimitedEnv::new(test, LIMITED_FROM_THE_START, 600) else {
        return;
    };
    let limited = ["prlimit", "--nproc=1:"];
    let mut daemon = place.env.start_command(place.command(&limited, &["run"]));
    for profile in ["literal", "named"] {
        wait_until("the fault", || {
            let target = format!("/v1/profiles/{profile}/token?max_wait=0");
            let refused = place.env.get(&daemon, &target);
            // An attempt may be running at any moment.
            let codes = ["unavailable", "deadline"];
            assert!(codes.contains(&&*refused.code()), "{refused:?}");
            let state = place.state(&daemon, profile);
            let detail = state["last_fault"]["detail"].as_str().map(str::to_owned);
            let told = detail
                .as_ref()
                .is_some_and(|d| d.contains("refuses another thread"));
            assert!(told || detail.is_none(), "{state}");
            told
        });
    }
    limit(&daemon, place.user, None);
    for profile in ["literal", "named"] {
        let target = format!("/v1/profiles/{profile}/token?max_wait=60");
        let answer = place.env.get(&daemon, &target);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    place.env.stop(&mut daemon);
}

#[test]
fn no_command_is_aborted_at_the_process_limit() {
    let Some(place) = LimitedEnv::new(
        "no_command_is_aborted_at_the_process_limit",
        LIMITED_COMMANDS,
        600,
    ) else {
        return;
    };
    let secret = place.env.secret_file();
    let url = place.env.sandboxes().first().unwrap().url();
    let mut add = vec!["add", "more", "--provider", "runai", "--url", &url];
    add.extend(["--client-id", "test-client", "--client-secret-file"]);
    add.push(secret.to_str().unwrap());
    let limited = ["prlimit", "--nproc=1:"];
    for (args, codes) in [
        (&["check"][..], &[0][..]),
        (&["doctor"], &[1, 78]),
        (&add, &[75]),
        (&["add", "literal", "--rebind"], &[75]),
        (&["demo"], &[1]),
        (&["run", "--", "true"], &[1]),
        (&["remove", "literal", "--yes"], &[0]),
    ] {
        let command = place.command(&limited, args);
        let output = place.env.finish("jetond", command, b"", false);
        assert!(codes.contains(&output.code), "{args:?}: {output:?}");
        assert!(!output.stderr.contains("panicked"), "{args:?}: {output:?}");
    }
    assert!(!Path::new(&place.env.record("more")).exists());
    // With a few more processes, the command can do some of its work.
    for most in 2..6 {
        let limited = ["prlimit", &format!("--nproc={most}:")];
        let command = place.command(&limited, &["doctor"]);
        let output = place.env.finish("jetond", command, b"", false);
        assert!([0, 1, 78].contains(&output.code), "{most}: {output:?}");
        let mut daemon = place.env.start_command(place.command(&limited, &["run"]));
        for _ in 0..3 {
            let reloaded = place.reload(&daemon);
            assert!(
                [200, 503].contains(&reloaded.status),
                "{most}: {reloaded:?}"
            );
        }
        place.env.stop(&mut daemon);
    }
}

/// As with `LimitNPROC=8` of the service: the limit counts the user's other programs, but does not restrict them.
#[test]
fn a_process_limit_of_eight_suffices_for_tokens_and_reloads() {
    let test = "a_process_limit_of_eight_suffices_for_tokens_and_reloads";
    let Some(place) = LimitedEnv::new(test, LIMITED_TO_EIGHT, 10) else {
        return;
    };
    let limited = ["prlimit", "--nproc=8:8"];
    let mut daemon = place.env.start_command(place.command(&limited, &["run"]));
    let profiles = ["literal", "named"];
    let get = |profile: &str| {
        let target = format!("/v1/profiles/{profile}/token?max_wait=60");
        let answer = place.env.get(&daemon, &target);
        assert_eq!(answer.status, 200, "{profile}: {answer:?}");
        generation(&answer.json())
    };
    let before = profiles.map(get);
    wait_until("two more tokens of each profile", || {
        let reloaded = place.reload(&daemon);
        assert_eq!(reloaded.status, 200, "{reloaded:?}");
        profiles
            .map(get)
            .iter()
            .zip(before)
            .all(|(now, before)| *now >= before + 2)
    });
    for profile in profiles {
        assert_eq!(place.state(&daemon, profile)["counts"]["failures"], 0);
    }
    assert!(daemon.threads().len() <= 8, "{:?}", daemon.threads());
    place.env.stop(&mut daemon);
}
