//! Issuers with endless answers, and their effect on other profiles.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jetond::sandbox::Line;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

/// How long it may take to end a flood, with room for a busy machine: less than an exchange may last.
const DEADLINE: Duration = Duration::from_secs(8);

/// A test environment with two profiles, each at an issuer of its own.
fn two_issuers() -> TestEnv {
    let mut env = TestEnv::new();
    for profile in ["other", "flooded"] {
        let sandbox = env.add_sandbox(Line::V2_24, 600);
        let url = env.sandboxes()[sandbox].url();
        env.enrol_at(profile, &url);
    }
    env
}

/// Returns the median time of this many requests for a held token.
fn median(env: &TestEnv, daemon: &Daemon, profile: &str, requests: usize) -> Duration {
    let mut times: Vec<_> = (0..requests)
        .map(|_| {
            let begun = Instant::now();
            env.token(daemon, profile);
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[requests / 2]
}

/// Returns a field of each thread's status, with the thread's name.
fn of_each_thread(daemon: &Daemon, field: &str) -> Vec<(String, String)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.child.id())).unwrap();
    let mut found = vec![];
    for task in tasks {
        // A thread may end in the meantime.
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap_or_default();
        let value = |name: &str| {
            let mut lines = status.lines();
            lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
        };
        found.extend(value("Name:").zip(value(field)));
    }
    found
}

#[test]
fn a_flood_of_early_hints_is_ended_and_delays_no_request_for_another_profile() {
    let env = two_issuers();
    let mut daemon = env.start();
    env.token(&daemon, "other");
    env.token(&daemon, "flooded");
    let quiet = median(&env, &daemon, "other", 200);
    env.fault_at(1, "early-hints");
    let socket = daemon.socket.clone();
    let begun = Instant::now();
    let refresh = thread::spawn(move || {
        let target = "/v1/profiles/flooded/refresh";
        crate::support::http::request(&socket, "POST", target, &[], b"")
    });
    let flooded = median(&env, &daemon, "other", 200);
    // A busy machine has its own delays; on the thread that serves, each took most of a second.
    let bound = quiet * 3 + Duration::from_millis(20);
    assert!(flooded <= bound, "{flooded:?} against {quiet:?}");
    assert_ne!(refresh.join().unwrap().status, 200);
    wait_until("the attempt to end", || {
        let shown = env.get(&daemon, "/v1/profiles/flooded").json();
        shown["last_fault"]["kind"] == "interim_answers"
    });
    // The flood would last for as long as somebody reads it.
    assert!(begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    wait_until("the end of the connection", || {
        env.sandboxes()[1].stats().open_connections == 0
    });
    env.stop(&mut daemon);
}

#[test]
fn a_profile_that_is_removed_ends_its_connection_to_the_issuer() {
    let env = two_issuers();
    env.fault_at(1, "hang");
    let mut daemon = env.start();
    wait_until("an attempt to connect", || {
        env.sandboxes()[1].stats().open_connections == 1
    });
    let text = fs::read_to_string(env.config()).unwrap();
    let at = text.find("[profiles.flooded]").unwrap();
    fs::write(env.config(), &text[..at]).unwrap();
    let begun = Instant::now();
    assert_eq!(env.jeton(&["reload"]).code, 0);
    wait_until("the connection to end", || {
        env.sandboxes()[1].stats().open_connections == 0
    });
    // The attempt's own deadline would be later.
    assert!(begun.elapsed() < Duration::from_secs(5));
    env.stop(&mut daemon);
}

#[test]
#[cfg(target_os = "linux")]
fn issuer_threads_have_lower_priority_and_the_same_signal_mask() {
    let env = two_issuers();
    let mut daemon = env.start();
    env.token(&daemon, "other");
    env.token(&daemon, "flooded");
    let masks = of_each_thread(&daemon, "SigBlk:");
    let of = |thread: &str| {
        let masks = masks.iter().filter(|(name, _)| name == thread);
        masks.map(|(_, mask)| mask.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of("issuers"), of("jetond").repeat(2), "{masks:?}");
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.child.id())).unwrap();
    for task in tasks {
        let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
        // proc(5): field 2 is the name in brackets, field 19 the nice value.
        let (name, fields) = stat.rsplit_once(')').unwrap();
        let nice: i32 = fields.split_whitespace().nth(16).unwrap().parse().unwrap();
        let is_speaking = name.ends_with("(issuers");
        assert_eq!(nice > 0, is_speaking, "{stat}");
    }
    env.stop(&mut daemon);
}

#[test]
fn a_requested_profile_is_refreshed_first() {
    const PROFILES: usize = 40;
    let env = TestEnv::with_sandbox(600);
    let url = env.sandbox().url();
    for n in 0..PROFILES {
        env.enrol_at(&format!("p{n:02}"), &url);
    }
    // Eight run at a time, so the last profile would wait for 16 seconds.
    env.fault("slow:4");
    let mut daemon = env.start();
    wait_until("the first requests to the issuer", || {
        env.sandbox().stats().open_connections == 8
    });
    let answer = env.get(&daemon, "/v1/profiles/p39/token?max_wait=10");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let profiles = env.get(&daemon, "/v1/profiles").json();
    let profiles = profiles["profiles"].as_array().unwrap();
    let queued = |profile: &&serde_json::Value| profile["queued_for"].as_u64() >= Some(1);
    let queued = profiles.iter().filter(queued).count();
    assert!((1..PROFILES - 9).contains(&queued), "{queued}");
    let table = env.jeton(&["status"]).stdout;
    assert!(table.contains("its refresh has waited for "), "{table}");
    daemon.wait_for_log("profiles wait for their turn at this issuer");
    env.stop(&mut daemon);
    let said = daemon.log();
    assert_eq!(said.matches("profiles wait for their turn").count(), 1);
}

/// Starts an issuer that keeps connections open. Returns its address, and the counts of connections and requests.
fn keeping_issuer() -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    const ANSWER: &str = r#"{"access_token":"a-token","token_type":"Bearer","expires_in":600}"#;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let [connections, requests] = [(); 2].map(|()| Arc::<AtomicUsize>::default());
    let counts = (url, Arc::clone(&connections), Arc::clone(&requests));
    thread::spawn(move || {
        for stream in listener.incoming() {
            connections.fetch_add(1, Ordering::SeqCst);
            let requests = Arc::clone(&requests);
            thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                loop {
                    let (mut line, mut length) = (String::new(), 0);
                    while line != "\r\n" {
                        line.clear();
                        if stream.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        if let Some(value) = line.strip_prefix("content-length: ") {
                            length = value.trim().parse().unwrap();
                        }
                    }
                    stream.read_exact(&mut vec![0; length]).unwrap();
                    requests.fetch_add(1, Ordering::SeqCst);
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
                    let answer = format!("{head}Content-Length: {}\r\n\r\n{ANSWER}", ANSWER.len());
                    stream.get_mut().write_all(answer.as_bytes()).unwrap();
                }
            });
        }
    });
    counts
}

#[test]
fn profiles_at_one_issuer_reuse_its_connections() {
    const PROFILES: usize = 12;
    let env = TestEnv::new();
    let (url, connections, requests) = keeping_issuer();
    let secret = env.secret_file();
    for n in 0..PROFILES {
        let (name, secret) = (format!("p{n}"), secret.to_str().unwrap());
        #[rustfmt::skip]
        let added = env.jetond(&[
            "add", &name, "--provider", "oauth2", "--token-url", &url, "--client-auth", "post",
            "--client-id", "an-id", "--client-secret-file", secret,
        ]);
        assert_eq!(added.code, 0, "{added:?}");
    }
    let at_first = connections.load(Ordering::SeqCst);
    let asked = requests.load(Ordering::SeqCst);
    let mut daemon = env.start();
    for n in 0..PROFILES {
        env.get(&daemon, &format!("/v1/profiles/p{n}/token"));
    }
    for n in 0..PROFILES {
        let refreshed = env.jeton(&["refresh", &format!("p{n}")]);
        assert_eq!(refreshed.code, 0, "{refreshed:?}");
    }
    assert_eq!(requests.load(Ordering::SeqCst) - asked, 2 * PROFILES);
    // Attempts that ran at the same time need one connection each, and some may be opened without need. Without reuse
    // there would be one for each request.
    let opened = connections.load(Ordering::SeqCst) - at_first;
    assert!(opened <= PROFILES + 4, "{opened}");
    env.stop(&mut daemon);
}
