//! Signals that this process inherited as ignored, as background jobs of a script do.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

use rustix::process::Signal;

/// Gives child processes the default dispositions of the terminal's signals, whatever this process inherited, because
/// many tests send these signals. An ignored signal stays ignored through an exec, while a handler does not. This
/// process still disregards the signals.
pub(crate) fn default_in_children() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.split("SigIgn:").nth(1).unwrap_or_default();
        let ignored = ignored.split_whitespace().next().unwrap_or_default();
        let ignored = u64::from_str_radix(ignored, 16).unwrap_or(0);
        for signal in [Signal::HUP, Signal::INT, Signal::QUIT] {
            let signal = signal.as_raw();
            if ignored & (1 << (signal - 1)) != 0 {
                let unread = Arc::new(AtomicBool::new(false));
                signal_hook::flag::register(signal, unread).unwrap();
            }
        }
    });
}
