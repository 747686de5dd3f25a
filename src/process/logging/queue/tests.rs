#![expect(
    clippy::disallowed_methods,
    reason = "a test may panic if it cannot start a thread"
)]

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;

const FOREVER: Duration = Duration::from_secs(600);

fn line(n: usize, length: usize) -> Vec<u8> {
    let mut line = format!("{n} ").into_bytes();
    line.resize(length - 1, b'.');
    line.push(b'\n');
    line
}

/// Takes everything from the queue, as a writable log does: the bytes, and the gaps before them.
fn drain(queue: &Queue) -> (Vec<u8>, Vec<u64>) {
    let (mut bytes, mut gaps) = (vec![], vec![]);
    while !queue.lock().is_empty() {
        let chunk = queue.next();
        bytes.extend_from_slice(&chunk.bytes);
        gaps.extend(Some(chunk.gap).filter(|gap| *gap > 0));
        queue.written(chunk);
    }
    (bytes, gaps)
}

#[test]
fn lines_are_written_whole_and_in_order_in_chunks_that_fit_a_pipe() {
    let queue = Queue::new();
    let lines: Vec<_> = (0..1_000).map(|n| line(n, 10 + n % 400)).collect();
    for line in &lines {
        queue.push(line);
    }
    assert!(
        queue.lock().chunks.iter().all(|chunk| {
            (1..=CHUNK).contains(&chunk.bytes.len()) && chunk.bytes.ends_with(b"\n")
        })
    );
    assert_eq!(drain(&queue), (lines.concat(), vec![]));
}

#[test]
fn a_line_longer_than_a_chunk_gets_its_own_chunk() {
    let queue = Queue::new();
    let lines = [line(1, 10), line(2, CHUNK + 1), line(3, 10)];
    for line in &lines {
        queue.push(line);
    }
    assert_eq!(queue.lock().chunks.len(), 3);
    assert_eq!(drain(&queue), (lines.concat(), vec![]));
}

#[test]
fn queue_memory_is_bounded_for_lines_of_any_length_and_released() {
    for length in [
        3,
        150,
        CHUNK / 2 + 1,
        CHUNK,
        CHUNK + 1,
        100_000,
        LIMIT,
        LIMIT + 1,
    ] {
        let queue = Queue::new();
        let line = line(1, length);
        let pushes = 2 * LIMIT / length + 2;
        for _ in 0..pushes {
            queue.push(&line);
        }
        {
            let state = queue.lock();
            let memory: usize = state
                .chunks
                .iter()
                .map(|chunk| chunk.bytes.capacity())
                .sum();
            assert_eq!(memory, state.size, "{length}");
            assert!(memory <= LIMIT, "{length}: {memory}");
            let kept: u64 = state.chunks.iter().map(|chunk| count(&chunk.bytes)).sum();
            assert_eq!(kept + state.dropped, pushes as u64, "{length}");
        }
        let (_, gaps) = drain(&queue);
        assert_eq!(gaps.len(), 1, "{length}");
        let state = queue.lock();
        assert_eq!((state.size, state.dropped), (0, 0), "{length}");
        assert!(state.spare.capacity() <= CHUNK && state.chunks.capacity() <= 8);
    }
}

#[test]
fn a_full_queue_accepts_lines_once_half_is_written_and_marks_the_gap() {
    let queue = Queue::new();
    let line = line(1, 100);
    while queue.lock().dropped == 0 {
        queue.push(&line);
    }
    queue.push(&line);
    let mut written = 0;
    loop {
        let chunk = queue.next();
        assert_eq!(chunk.gap, 0);
        written += chunk.bytes.capacity();
        queue.written(chunk);
        if written >= LIMIT / 2 + CHUNK {
            break;
        }
        queue.push(&line);
        assert!(
            queue.lock().chunks.iter().all(|chunk| chunk.gap == 0),
            "{written}"
        );
    }
    let dropped = queue.lock().dropped;
    queue.push(&line);
    queue.push(&line);
    let last = queue.lock().chunks.pop_back().unwrap();
    assert_eq!(
        (last.gap, last.bytes),
        (dropped, [&line[..], &line].concat())
    );
    assert_eq!(queue.lock().dropped, 0);
}

#[test]
fn lines_of_a_failed_write_and_all_queued_ones_count_as_dropped() {
    let queue = Queue::new();
    for n in 0..200 {
        queue.push(&line(n, 100));
    }
    let chunk = queue.next();
    let in_chunk = count(&chunk.bytes);
    assert!(in_chunk > 10);
    queue.not_written(chunk, in_chunk - 3);
    assert_eq!(queue.lock().dropped, 200 - 3);
    assert_eq!(queue.lock().size, 0);

    // A gap behind a failed chunk is not forgotten.
    queue.push(&line(1, 100));
    let chunk = queue.next();
    queue.push(&line(2, 100));
    queue.add_dropped(5);
    queue.push(&line(3, 100));
    let gap = chunk.gap;
    queue.not_written(chunk, gap + 1);
    assert_eq!((gap, queue.lock().dropped), (197, 197 + 1 + 1 + 5 + 1));
    queue.lock().dropped = 197;

    // The next line comes after the gap. Losing it, too, keeps the count.
    queue.push(&line(1, 100));
    let chunk = queue.next();
    assert_eq!((chunk.gap, count(&chunk.bytes)), (197, 1));
    queue.not_written(chunk, 197 + 1);
    // The log reports the gap without waiting for a line.
    let chunk = queue.next();
    assert_eq!((chunk.gap, chunk.bytes.len()), (198, 0));
    queue.written(chunk);
    assert!(queue.lock().is_empty());
    assert_eq!(queue.lock().pause, None);
}

#[test]
fn a_failing_log_is_retried_with_growing_pauses() {
    let queue = Queue::new();
    let mut pauses = vec![];
    for _ in 0..12 {
        let chunk = Chunk {
            gap: 0,
            bytes: vec![],
        };
        queue.not_written(chunk, 1);
        pauses.push(queue.lock().pause.unwrap());
    }
    assert_eq!(pauses[..3], [PAUSE, PAUSE * 2, PAUSE * 4]);
    assert_eq!(pauses.last(), Some(&LONGEST_PAUSE));
}

#[test]
fn a_new_line_wakes_the_writer_and_retries_a_failing_log_early() {
    let queue = Queue::new();
    // Its pause would last 30 s.
    queue.lock().pause = Some(LONGEST_PAUSE);
    thread::scope(|scope| {
        let writer = scope.spawn(|| queue.next());
        while !queue.lock().is_waiting {
            thread::yield_now();
        }
        queue.push(&line(1, 10));
        assert_eq!(writer.join().unwrap().bytes, line(1, 10));
        queue.written(Chunk {
            gap: 0,
            bytes: vec![],
        });

        let writer = scope.spawn(|| queue.next());
        while !queue.lock().is_waiting {
            thread::yield_now();
        }
        queue.push(&line(2, 10));
        assert_eq!(writer.join().unwrap().bytes, line(2, 10));
    });
}

#[test]
fn a_flush_waits_until_the_last_line_is_written() {
    let queue = Queue::new();
    let written = AtomicBool::new(false);
    queue.push(&line(1, 10));
    let chunk = queue.next();
    thread::scope(|scope| {
        let flush = scope.spawn(|| {
            queue.flush(FOREVER, || false);
            written.load(Ordering::SeqCst)
        });
        while !queue.lock().is_flushed {
            thread::yield_now();
        }
        // A flush that did not wait would have returned by now.
        for _ in 0..100 {
            thread::yield_now();
        }
        written.store(true, Ordering::SeqCst);
        queue.written(chunk);
        assert!(flush.join().unwrap());
    });
    queue.flush(FOREVER, || false);
}

#[test]
fn a_flush_keeps_waiting_while_the_writer_can_make_progress() {
    let queue = Queue::new();
    queue.push(&line(1, 10));
    let (chunk, asked) = (RefCell::new(Some(queue.next())), Cell::new(0));
    let can_take = |written_at: u32| {
        asked.set(asked.get() + 1);
        if asked.get() == written_at {
            queue.written(chunk.take().unwrap());
        }
        true
    };
    queue.flush(Duration::from_millis(1), || can_take(0));
    assert_eq!((asked.get(), queue.lock().is_empty()), (PATIENCE, false));
    asked.set(0);
    queue.flush(Duration::from_millis(1), || can_take(3));
    assert_eq!((asked.get(), queue.lock().is_empty()), (3, true));
}

#[test]
fn a_flush_does_not_wait_for_a_blocked_or_failing_log() {
    let queue = Queue::new();
    queue.push(&line(1, 10));
    let stuck = queue.next();
    queue.push(&line(2, 10));
    queue.flush(Duration::from_millis(1), || false);

    // The two lines are lost, and a flush retries a broken log only once.
    queue.not_written(stuck, 1);
    queue.push(&line(3, 10));
    thread::scope(|scope| {
        scope.spawn(|| queue.not_written(queue.next(), 3));
        queue.flush(FOREVER, || false);
    });
    assert_eq!(queue.lock().dropped, 3);
    queue.flush(FOREVER, || false);
}
