//! The terminal of a question. Its modes are restored afterwards, however the question ends.
//!
//! Text that is typed or pasted after the answer is discarded: a shell must not run it, and the next question must not
//! take it for its answer.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::stdin;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush,
    tcgetattr, tcgetpgrp, tcsetattr,
};
use zeroize::Zeroizing;

use super::editor::{Editor, KeyResult, Keys, Line};
use super::signals::{SignalEffect, Signals};

/// The largest secret that is read, in bytes: longer than any accepted credential.
pub(super) const MAX_SECRET: u64 = 4_096;

/// Pasted text arrives in pieces. A pause of this length ends it, and at most this number of pieces is awaited.
const PASTE: Duration = Duration::from_millis(30);
const PIECES: usize = 300;

/// The number of bytes that are read at once.
const PIECE: usize = 4_096;

/// The most lines of an answer, and the most bytes after it that are kept: more than a client ID and its secret have in
/// any form.
const MAX_LINES: usize = 64;
const MAX_MORE: usize = 64 * 1024;

/// The mode in which a line is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypingMode {
    /// Shown, and edited by the terminal itself (canonical mode).
    Shown,
    /// Not shown, and edited by this process, so that all pasted text can be read.
    Hidden,
}

/// The result of a wait for an answer.
pub(super) enum InputResult {
    /// Lines, without their ends.
    Lines(Vec<Line>),
    End,
    Signal(SignalEffect),
}

/// The terminal of standard input. Questions are shown on standard error, or on the controlling terminal if standard
/// error is not a terminal.
pub(super) struct Terminal {
    output: File,
    typing: TypingMode,
    usual: Termios,
    /// Whether the terminal has the modes that this process has set.
    changed: bool,
    /// The editor of a line that is typed byte by byte.
    editor: Editor,
}

// === impl Terminal ===

impl Terminal {
    pub(super) fn open(typing: TypingMode) -> io::Result<Self> {
        let terminal = || File::options().write(true).open("/dev/tty");
        let output = match io::stderr().is_terminal() {
            true => None,
            // If standard error is a file, the person would see no question there.
            false => terminal().ok(),
        };
        let output = match output {
            Some(output) => output,
            None => File::from(io::stderr().as_fd().try_clone_to_owned()?),
        };
        let usual = tcgetattr(stdin())?;
        let keys = match typing {
            TypingMode::Hidden => Keys::of(&usual),
            TypingMode::Shown => Keys::NONE,
        };
        Ok(Self {
            output,
            typing,
            usual,
            changed: false,
            editor: Editor::new(keys, MAX_SECRET as usize),
        })
    }

    /// Prepares the terminal, and then shows the question, so that text typed after it is neither lost nor shown. Text
    /// that was typed before is discarded, unless the question `goes_on` with an answer that has begun.
    pub(super) fn begin(
        &mut self,
        question: &str,
        goes_on: bool,
        signals: &Signals,
    ) -> io::Result<()> {
        if !is_ours() {
            // In the background this stops the process until it is in the foreground, and a signal may end it
            // meanwhile. Before that, the terminal has the modes of the shell's line editor.
            signals.let_through(|| tcflush(stdin(), QueueSelector::IFlush))?;
        }
        if !self.changed {
            // The shell may have changed the modes during a stop.
            self.usual = tcgetattr(stdin())?;
        }
        self.set_modes(self.typing)?;
        if !goes_on {
            self.editor.clear();
            flush();
        }
        // A terminal that is halted by Ctrl-S accepts no text, and must not keep this process from ending.
        let arrive_at = signals.arrive_at();
        let output = self.output.as_fd();
        let mut ready = [
            PollFd::new(&output, PollFlags::OUT),
            PollFd::new(&arrive_at, PollFlags::IN),
        ];
        wait(&mut ready, None)?;
        if !ready.iter().any(|fd| fd.revents().contains(PollFlags::IN)) {
            let begun = match self.editor.has_begun() {
                true => "(the line that was pasted is here; Enter takes it) ",
                false => "",
            };
            write!(self.output, "{question}: {begun}")?;
        }
        Ok(())
    }

    fn set_modes(&mut self, typing: TypingMode) -> io::Result<()> {
        let mut modes = self.usual.clone();
        // Set whatever another program has left.
        modes.local_modes |= LocalModes::ICANON | LocalModes::ISIG;
        modes.input_modes |= InputModes::ICRNL;
        modes.input_modes -= InputModes::INLCR | InputModes::IGNCR;
        if typing == TypingMode::Hidden {
            modes.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON;
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        }
        tcsetattr(stdin(), OptionalActions::Now, &modes)?;
        self.changed = true;
        Ok(())
    }

    /// Waits for an answer: one line, or all lines of a paste.
    pub(super) fn answer(&mut self, signals: &mut Signals) -> io::Result<InputResult> {
        // Allocated at the largest size, so that no growth leaves a copy behind.
        let mut room = Zeroizing::new(vec![0; PIECE]);
        let mut lines = vec![];
        loop {
            let pause = Timespec::try_from(PASTE).ok();
            let is_pasted = self.typing == TypingMode::Hidden;
            let limit = match lines.is_empty() {
                true => None,
                false if is_pasted && lines.len() < MAX_LINES => pause,
                false => return Ok(InputResult::Lines(lines)),
            };
            let input = stdin();
            let arrive_at = signals.arrive_at();
            let mut ready = [
                PollFd::new(&arrive_at, PollFlags::IN),
                PollFd::new(&input, PollFlags::IN),
            ];
            wait(&mut ready, limit.as_ref())?;
            let is_ready = ready.iter().any(|fd| !fd.revents().is_empty());
            if let Some(asked) = signals.arrived() {
                return Ok(InputResult::Signal(asked));
            }
            if !is_ready {
                if limit.is_some() {
                    return Ok(InputResult::Lines(lines));
                }
                continue;
            }
            let n = match rustix::io::read(input, room.as_mut_slice()) {
                // If the terminal edits the line, the end of input is not a byte.
                Ok(0) if lines.is_empty() => return Ok(InputResult::End),
                Ok(0) => return Ok(InputResult::Lines(lines)),
                Ok(n) => n,
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(error) => return Err(error.into()),
            };
            for byte in room.get(..n).unwrap_or_default() {
                match self.editor.feed(*byte) {
                    KeyResult::Nothing => {}
                    KeyResult::Line(line) => lines.push(line),
                    KeyResult::End if lines.is_empty() => return Ok(InputResult::End),
                    KeyResult::End => {}
                    KeyResult::TooLong => {
                        let why = format!("the line is longer than {MAX_SECRET} bytes");
                        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                    }
                }
            }
        }
    }

    /// Shows a text.
    pub(super) fn show(&mut self, text: &str) -> io::Result<()> {
        self.output.write_all(text.as_bytes())
    }

    /// Waits until no more pasted text arrives, and removes it from the terminal's input. Returns its beginning, up to
    /// [`MAX_MORE`].
    pub(super) fn take_rest(&mut self) -> Zeroizing<Vec<u8>> {
        let mut rest = Zeroizing::new(Vec::with_capacity(MAX_MORE + 1));
        rest.extend_from_slice(&self.editor.take());
        if self.set_modes(TypingMode::Hidden).is_err() {
            return rest;
        }
        let mut room = Zeroizing::new(vec![0; PIECE]);
        let pause = Timespec::try_from(PASTE).ok();
        for _ in 0..PIECES {
            let input = stdin();
            let mut more = [PollFd::new(&input, PollFlags::IN)];
            if !matches!(poll(&mut more, pause.as_ref()), Ok(1)) {
                break;
            }
            let n = match rustix::io::read(input, room.as_mut_slice()) {
                Ok(0) => break,
                Ok(n) => n.min(MAX_MORE.saturating_sub(rest.len())),
                Err(Errno::INTR | Errno::AGAIN) => 0,
                Err(_) => break,
            };
            rest.extend_from_slice(room.get(..n).unwrap_or_default());
        }
        rest
    }

    /// Restores the terminal's modes. Does nothing if the terminal is gone or belongs to another program by now.
    pub(super) fn restore(&mut self) {
        if !std::mem::take(&mut self.changed) || !is_ours() {
            return;
        }
        flush();
        let _: rustix::io::Result<()> = tcsetattr(stdin(), OptionalActions::Now, &self.usual);
        if self.typing != TypingMode::Shown {
            // The line end that the person typed was not shown.
            let _: io::Result<()> = self.end_line();
        }
    }

    /// Ends the line of the question.
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        let output = self.output.as_fd();
        let mut ready = [PollFd::new(&output, PollFlags::OUT)];
        // A terminal that is halted by Ctrl-S gets no line end.
        let now = Timespec::default();
        wait(&mut ready, Some(&now))?;
        if ready.iter().any(|fd| !fd.revents().is_empty()) {
            self.output.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Discards text that was typed and not read.
fn flush() {
    // A terminal that is gone has no more text.
    let _: rustix::io::Result<()> = tcflush(stdin(), QueueSelector::IFlush);
}

/// Whether the terminal accepts settings without stopping this process: the process is in its foreground, or it is not
/// the controlling terminal of the session.
fn is_ours() -> bool {
    let ours = nix::unistd::getpgrp().as_raw();
    tcgetpgrp(stdin()).map_or(true, |foreground| foreground.as_raw_nonzero().get() == ours)
}

/// Waits for one of these; a signal may end the wait earlier.
fn wait(fds: &mut [PollFd<'_>], limit: Option<&Timespec>) -> io::Result<()> {
    match poll(fds, limit) {
        Ok(_) => Ok(()),
        Err(Errno::INTR) => {
            for fd in fds {
                fd.clear_revents();
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
