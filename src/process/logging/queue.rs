//! The log's queue: accepts lines without waiting, up to a limit in bytes, and counts the lines that it drops.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::sink::ATOMIC;

/// Memory limit of the queue, in bytes: some 5,000 lines of 200 bytes. At TRACE each request logs a line, so at 5,000
/// requests a second the writer can be off the processor for a second before a line is dropped. A reader that stops
/// forever costs no more memory than this.
const LIMIT: usize = 1024 * 1024;

/// The bytes of one write, unless a single line is longer. A pipe accepts this many atomically, without mixing in the
/// output of other programs.
const CHUNK: usize = ATOMIC;

/// The pause after a failed write. Lines that arrive meanwhile wait in the queue.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest pause while no line arrives. Pauses double up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How many times the time limit of a flush may pass while the log accepts more data.
const PATIENCE: u32 = 10;

/// The queue. One thread reads from it.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Notified when there is something to write.
    filled: Condvar,
    /// Notified when everything has been written.
    emptied: Condvar,
}

/// Lines that are written together.
pub(super) struct Chunk {
    /// How many lines are missing before these; the log must still report them.
    pub(super) gap: u64,
    /// The lines, each with its line end.
    pub(super) bytes: Vec<u8>,
}

struct State {
    chunks: VecDeque<Chunk>,
    /// The memory of all chunks, including the one being written.
    size: usize,
    /// Lines dropped since the last chunk was started.
    dropped: u64,
    /// Whether the queue was full and has not drained to half since. Until then lines are dropped, so that a reader
    /// that is too slow gets few large gaps instead of many small ones.
    is_full: bool,
    /// The buffer of a written chunk, reused for the next lines.
    spare: Vec<u8>,
    /// Whether a chunk is being written.
    is_writing: bool,
    /// Whether the writer sleeps until a line arrives.
    is_waiting: bool,
    /// The current pause, if the log cannot be written.
    pause: Option<Duration>,
    /// Whether a flush is running; it cancels pauses.
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

    /// Adds a line, including its line end; drops and counts it if the queue is full.
    pub(super) fn push(&self, line: &[u8]) {
        self.push_into(self.lock(), line);
    }

    /// Works like [`Self::push`], but never waits for the queue's lock: returns `false` if another thread, or a caller
    /// on this thread, holds it.
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

    /// Takes the count of dropped lines, to report it now.
    pub(super) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }

    /// Returns the next chunk. Waits until there is one, or until there are dropped lines to report.
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

    /// Records that a chunk was written.
    pub(super) fn written(&self, chunk: Chunk) {
        let mut state = self.lock();
        state.pause = None;
        state.release(chunk);
        self.tell_if_empty(&state);
    }

    /// Records that a chunk was not written: `lost` lines of this chunk are lost, and so are those queued after it.
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

    /// Waits until everything is written or cannot be written, for at most `limit`. Waits ten times as long while the
    /// log accepts more: then the writer is not stuck, but waits for the processor of a loaded machine.
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
        // A poisoned lock means a panic, and a panic ends the process.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn push(&mut self, line: &[u8]) {
        // After missing lines a new chunk starts, which reports how many.
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

    /// Releases the memory of a chunk.
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

/// Counts lines.
pub(super) fn count(lines: &[u8]) -> u64 {
    let ends = lines.iter().filter(|byte| **byte == b'\n').count();
    u64::try_from(ends).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
