//! Signals that this process inherited as ignored, as a job in the background of a script does.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

use rustix::process::Signal;

/// Lets the programs that tests start have the default dispositions of what a terminal sends, whatever this process
/// inherited: many tests send these signals. A handler is not inherited through an exec, while "ignored" is. This
/// process goes on to disregard those signals.
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
