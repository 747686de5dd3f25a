//! A question on the terminal, which is as it was afterwards, however that ends.
//!
//! Lines are edited by the terminal itself (canonical mode). What is typed or pasted beyond the line is thrown away: a
//! shell must not run it, and the next question must not take it for its answer.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::stdio::stdin;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetpgrp,
    tcsetattr,
};
use signal_hook::consts::SIGTSTP;
use zeroize::Zeroizing;

use super::signals::{Asked, Signals};

/// The largest secret that is read, in bytes: more than any credential that is taken.
pub(super) const MAX_SECRET: u64 = 4_096;

/// What is pasted arrives in pieces: this long after the last one it is over, and this often we wait at most.
const PASTE: Duration = Duration::from_millis(30);
const PIECES: usize = 30;

/// Whether what is typed is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    Shown,
    Hidden,
}

/// Asks, and gives the line without its end; `None` at the end of input, when nothing was given.
pub(super) fn ask(question: &str, echo: Echo) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut signals = Signals::catch()?;
    let mut terminal = Terminal::open(echo)?;
    let line = loop {
        terminal.begin(question, &signals)?;
        match terminal.line(&mut signals)? {
            Input::Line(line) => {
                terminal.settle();
                break Some(line);
            }
            Input::End => {
                if echo == Echo::Shown {
                    // What is told next has a line of its own.
                    let _: io::Result<()> = terminal.end_line();
                }
                break None;
            }
            Input::Signal(Asked::End(signal)) => {
                terminal.restore();
                signals.obey(signal);
            }
            Input::Signal(Asked::Stop) => {
                terminal.restore();
                signals.obey(SIGTSTP);
            }
            Input::Signal(Asked::GoOn) => {}
        }
    };
    terminal.restore();
    signals.release();
    Ok(line)
}

/// What ended a wait for a line.
enum Input {
    Line(Zeroizing<Vec<u8>>),
    End,
    Signal(Asked),
}

/// The terminal of standard input. Questions are shown on standard error, or on the controlling terminal where standard
/// error is not a terminal.
struct Terminal {
    output: File,
    echo: Echo,
    usual: Termios,
    /// Whether its modes are ours.
    changed: bool,
}

// === impl Terminal ===

impl Terminal {
    fn open(echo: Echo) -> io::Result<Self> {
        let terminal = || File::options().write(true).open("/dev/tty");
        let output = match io::stderr().is_terminal() {
            true => None,
            // Where it goes into a file, the person would see no question.
            false => terminal().ok(),
        };
        let output = match output {
            Some(output) => output,
            None => File::from(io::stderr().as_fd().try_clone_to_owned()?),
        };
        Ok(Self {
            output,
            echo,
            usual: tcgetattr(stdin())?,
            changed: false,
        })
    }

    /// Prepares the terminal, and shows the question; in this order, so that nothing typed after it is lost or shown.
    fn begin(&mut self, question: &str, signals: &Signals) -> io::Result<()> {
        if !is_ours() {
            // In the background this stops us until we are in the foreground, and a signal may end us meanwhile. Before
            // that its modes are those of the shell's own line.
            signals.let_through(|| tcflush(stdin(), QueueSelector::IFlush))?;
        }
        if !self.changed {
            // After a stop, the shell may have changed them.
            self.usual = tcgetattr(stdin())?;
        }
        let mut modes = self.usual.clone();
        // However another program has left it.
        modes.local_modes |= LocalModes::ICANON | LocalModes::ISIG;
        modes.input_modes |= InputModes::ICRNL;
        if self.echo == Echo::Hidden {
            modes.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        }
        tcsetattr(stdin(), OptionalActions::Now, &modes)?;
        self.changed = true;
        flush();
        // One that was halted by Ctrl-S does not take it, and must not keep us from ending.
        let arrive_at = signals.arrive_at();
        let output = self.output.as_fd();
        let mut ready = [
            PollFd::new(&output, PollFlags::OUT),
            PollFd::new(&arrive_at, PollFlags::IN),
        ];
        wait(&mut ready, None)?;
        if !ready.iter().any(|fd| fd.revents().contains(PollFlags::IN)) {
            write!(self.output, "{question}: ")?;
        }
        Ok(())
    }

    fn line(&self, signals: &mut Signals) -> io::Result<Input> {
        // As large as it can get, so that no growth leaves a copy behind.
        let most = MAX_SECRET as usize;
        let mut line = Zeroizing::new(Vec::with_capacity(most + 1));
        let mut room = Zeroizing::new(vec![0; most + 1]);
        loop {
            let input = stdin();
            let arrive_at = signals.arrive_at();
            let mut ready = [
                PollFd::new(&arrive_at, PollFlags::IN),
                PollFd::new(&input, PollFlags::IN),
            ];
            wait(&mut ready, None)?;
            if !ready.iter().any(|fd| !fd.revents().is_empty()) {
                continue;
            }
            if let Some(asked) = signals.arrived() {
                return Ok(Input::Signal(asked));
            }
            let free = room.get_mut(..=most - line.len()).unwrap_or_default();
            let n = match rustix::io::read(input, &mut *free) {
                Ok(0) => return Ok(Input::End),
                Ok(n) => n,
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(error) => return Err(error.into()),
            };
            let read = free.get(..n).unwrap_or_default();
            if let Some(end) = read.iter().position(|&byte| byte == b'\n') {
                line.extend_from_slice(read.get(..end).unwrap_or_default());
                return Ok(Input::Line(line));
            }
            line.extend_from_slice(read);
            if line.len() > most {
                let why = format!("the line is longer than {most} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
    }

    /// Waits until nothing more of what was pasted arrives, and throws it away.
    fn settle(&self) {
        let pause = Timespec::try_from(PASTE).ok();
        for _ in 0..PIECES {
            flush();
            let input = stdin();
            let mut more = [PollFd::new(&input, PollFlags::IN)];
            if !matches!(poll(&mut more, pause.as_ref()), Ok(1)) {
                return;
            }
        }
    }

    /// Gives the terminal back. It may be gone, or another program's by now: then there is nothing to give back.
    fn restore(&mut self) {
        if !std::mem::take(&mut self.changed) || !is_ours() {
            return;
        }
        flush();
        let _: rustix::io::Result<()> = tcsetattr(stdin(), OptionalActions::Now, &self.usual);
        if self.echo == Echo::Hidden {
            // That of the line was not shown.
            let _: io::Result<()> = self.end_line();
        }
    }

    fn end_line(&mut self) -> io::Result<()> {
        let output = self.output.as_fd();
        let mut ready = [PollFd::new(&output, PollFlags::OUT)];
        // One that was halted by Ctrl-S does without.
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

/// Throws away what was typed and not read.
fn flush() {
    // One that is gone has nothing more.
    let _: rustix::io::Result<()> = tcflush(stdin(), QueueSelector::IFlush);
}

/// Whether the terminal takes our settings without stopping us: we are in its foreground, or it is not the one by whose
/// keys our session is controlled.
fn is_ours() -> bool {
    let ours = nix::unistd::getpgrp().as_raw();
    tcgetpgrp(stdin()).map_or(true, |foreground| foreground.as_raw_nonzero().get() == ours)
}

/// Waits for one of these; a signal may end it before.
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
