//! Many sinks of many profiles, read while they are written.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::TestEnv;
use crate::support::daemon::wait_until;

/// The number of programs that read the files.
const READERS: usize = 8;

/// The number of files of each profile.
const OF_ONE: usize = 20;

/// The time limit for writing all files again.
const LIMIT: Duration = Duration::from_secs(60);

/// Returns the number of files: `JETON_SINKS`, or a tenth of what the daemon must support.
fn count() -> usize {
    let count = std::env::var("JETON_SINKS").ok();
    count.map_or(100, |count| count.parse().unwrap())
}

/// Creates the profiles. Returns them with their files.
fn profiles(env: &TestEnv) -> Vec<(String, Vec<PathBuf>)> {
    let mut config = String::new();
    let mut profiles = vec![];
    env.enrol("p0");
    let first = fs::read_to_string(env.config()).unwrap();
    let record = fs::read(env.record("p0")).unwrap();
    for number in 0..count().div_ceil(OF_ONE) {
        let name = format!("p{number}");
        config += &first.replace("profiles.p0", &format!("profiles.{name}"));
        fs::write(env.record(&name), &record).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(env.record(&name), private).unwrap();
        let mut files = vec![];
        for file in 0..OF_ONE {
            let path = format!("{name}/{file}");
            writeln!(
                config,
                "[[profiles.{name}.sinks]]\npath = \"{path}\"\nformat = \"json\""
            )
            .unwrap();
            let path = env.path("run/jeton").join(path);
            env.is_sink(&path);
            files.push(path);
        }
        profiles.push((name, files));
    }
    fs::write(env.config(), config).unwrap();
    profiles
}

/// Returns the generation and the token in a file.
fn read(file: &Path) -> Option<(u64, String)> {
    let text = fs::read(file).ok()?;
    // Panics on a partially written file, because that is not valid JSON.
    let read: Value = serde_json::from_slice(&text)
        .unwrap_or_else(|e| panic!("{}: {e} in {} bytes", file.display(), text.len()));
    let token = read["access_token"].as_str().unwrap().to_owned();
    Some((read["generation"].as_u64().unwrap(), token))
}

#[test]
fn all_sinks_are_rewritten_atomically_within_a_minute() {
    let env = TestEnv::with_sandbox(3_600);
    if count() > 100 {
        // At TRACE, one thread writes the log lines of a thousand tasks.
        env.expect_dropped_lines();
    }
    let profiles = profiles(&env);
    let files: Vec<_> = profiles.iter().flat_map(|(_, files)| files).collect();
    let mut daemon = env.start();
    wait_until("all files", || files.iter().all(|file| file.exists()));
    let is_over = AtomicBool::new(false);
    let generation = |file: &Path| read(file).map_or(0, |(generation, _)| generation);
    let before: Vec<_> = files.iter().map(|file| generation(file)).collect();
    let seen: BTreeSet<String> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let (files, is_over) = (&files, &is_over);
                scope.spawn(move || {
                    let mut seen = BTreeSet::new();
                    while !is_over.load(Ordering::SeqCst) {
                        for file in files.iter().skip(reader).step_by(READERS) {
                            seen.extend(read(file).map(|(_, token)| token));
                        }
                    }
                    seen
                })
            })
            .collect();
        let start = Instant::now();
        for (name, _) in &profiles {
            let target = format!("/v1/profiles/{name}/refresh");
            let answer = env.request(&daemon.socket, "POST", &target, &[], b"");
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        wait_until("all files to be written again", || {
            let mut pairs = files.iter().zip(&before);
            pairs.all(|(file, before)| generation(file) > *before)
        });
        let took = start.elapsed();
        is_over.store(true, Ordering::SeqCst);
        assert!(took <= LIMIT, "{} files in {took:?}", files.len());
        println!("{} files in {took:?}", files.len());
        readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap())
            .collect()
    });
    let issued: BTreeSet<_> = env.sandbox().issued().into_iter().collect();
    assert!(!seen.is_empty() && seen.is_subset(&issued));
    env.stop(&mut daemon);
}
