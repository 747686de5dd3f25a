//! Reloads of a configuration with many profiles.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::TestEnv;
use crate::support::daemon::wait_until;

const PROFILES: usize = 300;

/// The threads of a reload: 8 that read stores, as many that may be about to end, and one that reads the configuration.
const THREADS: usize = 2 * 8 + 1;

/// Returns the number in this field of a process's status: a count of threads, or kilobytes.
fn state(pid: u32, field: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(field)).unwrap();
    let number = value.trim_start_matches(':').split_whitespace().next();
    number.unwrap().parse().unwrap()
}

#[test]
fn a_reload_of_many_profiles_uses_few_threads_and_no_extra_memory() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("p0");
    let one = fs::read_to_string(env.config()).unwrap();
    let mut config = one.clone();
    for n in 1..PROFILES {
        config.push_str(&one.replace("p0", &format!("p{n}")));
        fs::copy(env.record("p0"), env.record(&format!("p{n}"))).unwrap();
    }
    fs::write(env.config(), config).unwrap();
    let mut daemon = env.start();
    let pid = daemon.child.id();
    // The sandbox grants a token before the daemon holds it.
    wait_until("every profile to hold a token", || {
        let status = env.jeton(&["status", "--json"]).stdout;
        status.matches("\"fresh\"").count() == PROFILES
    });
    let reload = || {
        let output = env.jeton(&["reload"]);
        let unchanged = "0 added, 0 removed, 0 changed, 300 unchanged";
        assert!(output.stdout.contains(unchanged), "{output:?}");
    };
    // After these reloads, the threads of the start have ended, and the allocator has what a reload needs.
    for _ in 0..3 {
        reload();
    }
    let (threads, memory) = (state(pid, "Threads"), state(pid, "RssAnon"));
    let over = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let mut most = 0;
            while !over.load(Ordering::SeqCst) {
                most = most.max(state(pid, "Threads"));
                thread::sleep(Duration::from_micros(200));
            }
            most
        });
        for _ in 0..20 {
            reload();
        }
        over.store(true, Ordering::SeqCst);
        counting.join().unwrap()
    });
    let more = state(pid, "RssAnon").saturating_sub(memory);
    assert!(
        most <= threads + THREADS,
        "{threads} and then {most} threads"
    );
    // The allocator keeps up to one configuration more. What each reload leaks would show twenty times.
    assert!(more < 2_048, "{memory} KiB, and then {more} KiB more");
    env.stop(&mut daemon);
}
