//! Standard error behind a queue: printing never blocks and never fails.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use tracing::Level;

use super::line::{Form, Maker};
use super::queue::{Chunk, Queue, count};
use super::sink::{Stderr, can_take};
use super::writer::Writer;

/// How long the exit of the process waits for unwritten lines. It waits ten times as long while standard error accepts
/// more.
const FLUSH: Duration = Duration::from_millis(100);

/// The name of the writer thread.
const THREAD: &str = "log";

/// The stack of the writer thread: it formats at most a line.
const STACK: usize = 128 * 1024;

static QUEUE: Queue = Queue::new();

/// The form of this process's lines; nothing is queued before it is set.
static FORM: OnceLock<Form> = OnceLock::new();

/// Whether the journal reads standard error.
static FOR_JOURNAL: AtomicBool = AtomicBool::new(false);

/// Whether the writer thread runs.
static HAS_THREAD: AtomicBool = AtomicBool::new(false);

/// The writer thread holds it forever. Without that thread, each line is written at once, if possible.
static WRITER: Mutex<Writer<Stderr>> = Mutex::new(Writer::new(Stderr { patience: None }));

/// A guard that writes the queued lines on drop, within 100 ms, or within a second while standard error accepts more.
#[must_use = "when it is dropped, the last lines are written"]
#[derive(Debug)]
pub struct FlushOnDrop(());

/// Puts standard error behind the queue, for the rest of this process.
pub(super) fn start(form: Form) -> FlushOnDrop {
    // A second start in one process keeps the first form; only tests do that.
    let _: Result<(), Form> = FORM.set(form);
    // If the thread does not start now, printing the first line tries again.
    has_thread();
    FlushOnDrop(())
}

/// Sets whether the journal reads the lines from now on.
pub(super) fn is_journal(is_so: bool) {
    FOR_JOURNAL.store(is_so, Ordering::Relaxed);
}

/// Returns the builder of this process's lines.
pub(super) fn maker() -> Maker {
    Maker {
        form: FORM.get().copied().unwrap_or(Form::Plain),
        for_journal: FOR_JOURNAL.load(Ordering::Relaxed),
    }
}

/// Prints a text of this level. Each of its lines has to end with a line end.
pub(super) fn print(level: Level, text: &str) {
    print_line(maker().with_priority(level, text).as_bytes());
}

fn print_line(line: &[u8]) {
    if FORM.get().is_some() && has_thread() {
        QUEUE.push(line);
    } else if FORM.get().is_some() {
        print_at_once(line);
    } else {
        // A command that a person runs may block on that person's terminal. If the terminal is gone, there is no other
        // place for the line.
        let _: std::io::Result<()> = std::io::stderr().lock().write_all(line);
    }
}

/// Prints the last line of a panicking process. Waits only a short while for the write, and for no lock.
pub(super) fn print_last(line: impl FnOnce(Maker) -> String) {
    let line = line(maker());
    // The writer thread cannot wait for itself.
    let is_writer = std::thread::current().name() == Some(THREAD);
    let has_writer = HAS_THREAD.load(Ordering::Relaxed) && !is_writer;
    if has_writer && QUEUE.try_push(line.as_bytes()) {
        QUEUE.flush(FLUSH, can_take);
    } else {
        let patience = Some(FLUSH);
        // There is no other place for the line.
        let _: std::io::Result<()> = Stderr { patience }.write_all(line.as_bytes());
    }
}

/// Reports whether the writer thread runs; tries to start it.
fn has_thread() -> bool {
    if HAS_THREAD.swap(true, Ordering::Relaxed) {
        return true;
    }
    let started = std::thread::Builder::new()
        .name(THREAD.to_owned())
        .stack_size(STACK)
        .spawn(write);
    HAS_THREAD.store(started.is_ok(), Ordering::Relaxed);
    started.is_ok()
}

/// Writes the queued lines forever, as the body of the writer thread.
fn write() {
    // Blocks two signals that must not stop or end the process: SIGTTOU, from a terminal that stops background
    // processes when they write, and SIGXFSZ, at a file's size limit. With them blocked, the write succeeds or fails.
    let signals: SigSet = [Signal::SIGTTOU, Signal::SIGXFSZ].into_iter().collect();
    // Fails only for a number that is not a signal.
    let _: nix::Result<()> = signals.thread_block();
    let maker = maker();
    let mut writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    writer.sink().patience = None;
    loop {
        writer.step(&QUEUE, &|dropped| maker.gap(dropped));
    }
}

/// Writes a line without the thread if that is possible now; otherwise counts it as dropped.
fn print_at_once(line: &[u8]) {
    let Ok(mut writer) = WRITER.try_lock() else {
        QUEUE.add_dropped(count(line));
        return;
    };
    writer.sink().patience = Some(Duration::ZERO);
    let chunk = Chunk {
        gap: QUEUE.take_dropped(),
        bytes: line.to_vec(),
    };
    if let Err(lost) = writer.write(&chunk, &|dropped| maker().gap(dropped)) {
        QUEUE.add_dropped(lost);
    }
}

// === impl FlushOnDrop ===

impl Drop for FlushOnDrop {
    fn drop(&mut self) {
        if HAS_THREAD.load(Ordering::Relaxed) {
            QUEUE.flush(FLUSH, can_take);
        }
    }
}
