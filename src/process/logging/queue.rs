//! The log's queue: takes lines without waiting, up to a limit in bytes, and counts those that it has to drop.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::sink::ATOMIC;

/// The most memory that lines which wait to be written may take, in bytes: some 5,000 lines of 200 bytes. At TRACE each
/// request is one, so at 5,000 requests a second the writer can lose the processor for a second before a line is
/// dropped; and a reader that stands still for ever costs no more than this.
const LIMIT: usize = 1024 * 1024;

/// How many bytes are written at once, unless a single line is longer: a pipe takes so many as a whole, and does not mix
/// them with what other programs write to it.
const CHUNK: usize = ATOMIC;

/// How long a log that could not be written is left alone, whatever lines come; they wait in the queue meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// How long it is left alone at most when no line comes. Until then the pauses double.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How many times the limit of a flush holds while the log can take more.
const PATIENCE: u32 = 10;

/// The queue. One thread takes from it.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when there is something to write.
    filled: Condvar,
    /// Told when all has been written.
    emptied: Condvar,
}

/// Lines that are written together.
pub(super) struct Chunk {
    /// How many lines are missing before these, which the log is still to say.
    pub(super) gap: u64,
    /// The lines, each with its line end.
    pub(super) bytes: Vec<u8>,
}

struct State {
    chunks: VecDeque<Chunk>,
    /// The memory of all chunks, that of the one being written included.
    size: usize,
    /// Lines that were dropped since the last chunk was begun.
    dropped: u64,
    /// Whether the queue was full and has not been emptied to its half since. Lines are dropped until then: a reader
    /// that is too slow gets few large gaps and not many small ones.
    is_full: bool,
    /// A chunk that has been written, for the next lines.
    spare: Vec<u8>,
    /// Whether a chunk is being written.
    is_writing: bool,
    /// Whether the writer sleeps until it is told of a line.
    is_waiting: bool,
    /// Whether the log cannot be written, and for how long it is left alone now.
    pause: Option<Duration>,
    /// Whether a flush is running: then no pause is made.
    is_flushed: bool,
}

// === impl Queue ===

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                chunks: VecDeque::new(),
                size: 0,
                dropped: 0,
                is_full: false,
                spare: Vec::new(),
                is_writing: false,
                is_waiting: false,
                pause: None,
                is_flushed: false,
            }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    /// Adds a line, which ends with a line end; or drops and counts it.
    pub(super) fn push(&self, line: &[u8]) {
        self.push_into(self.lock(), line);
    }

    /// The same, and never waits for the queue's lock: `false` when another thread, or a caller of this one, holds it.
    pub(super) fn try_push(&self, line: &[u8]) -> bool {
        let Ok(state) = self.state.try_lock() else {
            return false;
        };
        self.push_into(state, line);
        true
    }

    fn push_into(&self, mut state: MutexGuard<'_, State>, line: &[u8]) {
        state.push(line);
        if std::mem::take(&mut state.is_waiting) {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Counts lines that were dropped elsewhere.
    pub(super) fn add_dropped(&self, lines: u64) {
        self.lock().dropped += lines;
    }

    /// What was dropped and is not yet said, to be said now.
    pub(super) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }

    /// The next chunk; waits until there is one, or lines were dropped that the log can be told of.
    pub(super) fn next(&self) -> Chunk {
        let mut state = self.lock();
        if let Some(pause) = state.pause {
            state = self.wait(state, PAUSE, |state| !state.is_flushed);
            state.is_waiting = true;
            state = self.wait(state, pause.saturating_sub(PAUSE), |state| {
                state.chunks.is_empty() && !state.is_flushed
            });
        }
        while state.chunks.is_empty() && state.dropped == 0 {
            state.is_waiting = true;
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.is_waiting = false;
        state.is_flushed = false;
        state.is_writing = true;
        state.chunks.pop_front().unwrap_or_else(|| Chunk {
            gap: std::mem::take(&mut state.dropped),
            bytes: vec![],
        })
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        limit: Duration,
        so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self
            .filled
            .wait_timeout_while(state, limit, |state| so(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// A chunk was written.
    pub(super) fn written(&self, chunk: Chunk) {
        let mut state = self.lock();
        state.pause = None;
        state.release(chunk);
        self.tell_if_empty(&state);
    }

    /// A chunk was not written: these lines of it are lost, and so are those that wait behind it.
    pub(super) fn not_written(&self, chunk: Chunk, lost: u64) {
        let mut state = self.lock();
        let pause = state.pause.map_or(PAUSE, |pause| pause * 2);
        state.pause = Some(pause.min(LONGEST_PAUSE));
        state.dropped += lost;
        state.release(chunk);
        while let Some(chunk) = state.chunks.pop_front() {
            state.dropped += chunk.gap + count(&chunk.bytes);
            state.size = state.size.saturating_sub(chunk.bytes.capacity());
        }
        self.tell_if_empty(&state);
    }

    /// Waits until all is written, or cannot be, but no longer than this; ten times as long while the log can take more.
    /// Then the writer is not stuck: on a loaded machine it waits for the processor.
    pub(super) fn flush(&self, limit: Duration, can_take: impl Fn() -> bool) {
        self.lock().is_flushed = true;
        self.filled.notify_all();
        for _ in 0..PATIENCE {
            let state = self.lock();
            let waited = self
                .emptied
                .wait_timeout_while(state, limit, |state| !state.is_empty());
            let is_late = waited.unwrap_or_else(PoisonError::into_inner).1.timed_out();
            if !is_late || !can_take() {
                return;
            }
        }
    }

    fn tell_if_empty(&self, state: &State) {
        if state.is_empty() {
            self.emptied.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Poison means a panic, which ends the process.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn push(&mut self, line: &[u8]) {
        // Behind lines that are missing a new chunk begins, which says how many.
        let last = self.chunks.back_mut().filter(|_| self.dropped == 0);
        if let Some(last) = last
            && last.bytes.len() + line.len() <= last.bytes.capacity()
        {
            last.bytes.extend_from_slice(line);
            return;
        }
        let size = line.len().max(CHUNK);
        let limit = if self.is_full { LIMIT / 2 } else { LIMIT };
        self.is_full = self.size + size > limit;
        if self.is_full {
            self.dropped += count(line);
            return;
        }
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.reserve_exact(size);
        bytes.extend_from_slice(line);
        self.size += bytes.capacity();
        self.chunks.push_back(Chunk {
            gap: std::mem::take(&mut self.dropped),
            bytes,
        });
    }

    /// Takes the memory of a chunk back.
    fn release(&mut self, mut chunk: Chunk) {
        self.is_writing = false;
        self.size = self.size.saturating_sub(chunk.bytes.capacity());
        if chunk.bytes.capacity() == CHUNK {
            chunk.bytes.clear();
            self.spare = chunk.bytes;
        }
        if self.chunks.is_empty() {
            self.chunks.shrink_to(4);
        }
    }

    fn is_empty(&self) -> bool {
        let is_told = self.dropped == 0 || self.pause.is_some();
        self.chunks.is_empty() && !self.is_writing && is_told
    }
}

/// How many lines these are.
pub(super) fn count(lines: &[u8]) -> u64 {
    let ends = lines.iter().filter(|byte| **byte == b'\n').count();
    u64::try_from(ends).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
