//! What the log says of a token that expires and is not replaced.

use std::io;
use std::sync::Mutex;

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// The warnings of this thread's tasks.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<u8>>>);

impl Warnings {
    fn start() -> (Self, DefaultGuard) {
        let warnings = Self::default();
        let lines = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(warnings.clone());
        (warnings, tracing::subscriber::set_default(lines.finish()))
    }

    /// Those since the last call.
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }
}

impl<'a> MakeWriter<'a> for Warnings {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl io::Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const WARM: Policy = Policy {
    keep_warm: true,
    reissue: crate::schedule::Reissue::Normal,
};

/// Lets this much time pass, and gives the warnings in it.
async fn during(warnings: &Warnings, s: u64) -> Vec<String> {
    tokio::time::sleep(secs(s)).await;
    warnings.take()
}

/// How many of them say this, and nothing else of the outage is said.
#[track_caller]
fn assert_only(lines: &[String], text: &str, failing_for: &str) {
    let (with, without): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains(text));
    assert_eq!(with.len(), 1, "{lines:#?}");
    let line = format!("{} ", with[0]);
    for part in [
        // The span with the profile is there or not as other tests of the process set their own subscribers.
        "WARN ",
        "kind=\"connect\"",
        "detail=\"scripted\"",
        failing_for,
    ] {
        assert!(line.contains(part), "{part}: {lines:#?}");
    }
    assert_eq!(without, Vec::<&String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_expiry_is_a_warning_that_is_repeated_ever_more_rarely_until_the_recovery() {
    let (warnings, _guard) = Warnings::start();
    let issuer = ScriptedIssuer::new(&[grant(1_000), fail(FaultKind::Connect)]);
    let (handle, _) = keep_with(&issuer, &MemoryStore::new(Some("s")), WARM);
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    // It is valid for 970 s.
    let lines = during(&warnings, 969).await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("refresh failed"), "{lines:#?}");
    let first = "the token has expired and could not be replaced: callers fail";
    assert_only(&during(&warnings, 2).await, first, "failing_for=0 ");
    let again = "callers still fail: no attempt brings a token";
    assert_eq!(during(&warnings, 597).await, [""; 0]);
    assert_only(&during(&warnings, 3).await, again, "failing_for=600 ");
    assert_eq!(during(&warnings, 2_996).await, [""; 0]);
    assert_only(&during(&warnings, 5).await, again, "failing_for=3600 ");
    for day in 1..4 {
        let lines = during(&warnings, 86_400).await;
        let failing_for = format!("failing_for={} ", day * 86_400);
        assert_only(&lines, again, &failing_for);
    }
    issuer.play(grant(1_000));
    let lines = during(&warnings, 120).await;
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("callers get tokens again"), "{lines:#?}");
    assert!(lines[0].contains("failed_for=26"), "{lines:#?}");
    assert_eq!(during(&warnings, 5_000).await, [""; 0]);
}
