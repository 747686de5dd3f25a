//! A disk that becomes full while the daemon runs, and then has space again.

use crate::support::{TestEnv, ignored};

#[test]
fn after_a_full_disk_the_log_has_the_count_of_dropped_lines() {
    let env = TestEnv::new();
    env.expect_dropped_lines();
    let script = r#"
mount -t tmpfs -o size=32k,mode=0700 tmpfs /mnt
"$JETOND" run --log-format json 2>>/mnt/log & daemon=$!
"$JETON" ready --wait 30
dd if=/dev/zero of=/mnt/fill bs=512 2>/dev/null || true
n=0; while [ $n -lt 60 ]; do "$JETON" ready >/dev/null; n=$((n + 1)); done
rm /mnt/fill
n=0
while ! grep -q 'log lines were dropped' /mnt/log && [ $n -lt 1200 ]; do sleep 0.05; n=$((n + 1)); done
kill $daemon; wait $daemon; echo "ended: $?"
cat /mnt/log
"#;
    let mut command = env.command("unshare");
    command
        .args(["--mount", "sh", "-eu", "-c", script])
        .env("JETOND", env!("CARGO_BIN_EXE_jetond"))
        .env("JETON", env!("CARGO_BIN_EXE_jeton"));
    let out = env.finish("a script", command, b"", false);
    if out.stderr.contains("unshare") || out.stderr.contains("mount:") {
        ignored(&format!(
            "nothing can be mounted here: {}",
            out.stderr.trim()
        ));
        return;
    }
    let (_, log) = out
        .stdout
        .split_once("ended: 0\n")
        .expect("the daemon ended with exit code 0");
    // A line that was cut off by the full disk is not joined with the next one.
    let torn = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_err();
    let torn: Vec<_> = log.lines().filter(torn).collect();
    assert!(torn.len() <= 1, "{torn:#?}");
    assert!(torn.iter().all(|line| line.starts_with('{')), "{torn:#?}");
    let whole: String = log
        .lines()
        .filter(|line| !torn.contains(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let lines = super::lines(&whole);
    assert!(super::dropped(&lines) > 0, "{out:?}");
    assert!(lines.iter().any(|line| line["message"] == "stopping"));
}
