//! Slows down a crash loop, so that the service manager does not give up on the service and its sockets.
//!
//! A client that waits at a socket of systemd's makes systemd restart the service at once, whatever `RestartSec=` says.
//! After 20 such starts in 2 s, systemd closes the socket for good; a start limit of the service has the same effect.
//! So a daemon whose last runs were all short waits before it does anything else.
//!
//! The record is a file in the runtime folder, which systemd keeps across restarts. It has one byte for each
//! consecutive short run. The byte is written at the start, and the file is removed when the run has lasted long enough
//! or is stopped by order. So the record needs no clock, and counts a killed run, too.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tracing::{debug, warn};

/// The number of consecutive short runs after which a start waits.
const ROW: usize = 5;

/// A run that ends within this time without an order to stop counts as short.
const SHORT: Duration = Duration::from_secs(2);

/// How long such a start waits.
const WAIT: Duration = Duration::from_secs(1);

/// The record's name in the runtime folder.
const NAME: &str = "short-lives";

/// The byte that represents a run.
const LIFE: u8 = b'.';

/// The current run of this process, with its record.
#[derive(Debug, Clone)]
pub struct CrashRecord {
    record: PathBuf,
    has_waited: bool,
}

impl CrashRecord {
    /// Registers this run in `folder`, after a wait if the previous runs were short. `None` if the record cannot be
    /// read or written; then no start waits. It blocks, so call it before the event loop starts.
    pub fn begin(folder: &Path) -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "no event loop runs in this process yet"
        )]
        Self::begin_after(folder, std::thread::sleep).ok()
    }

    fn begin_after(folder: &Path, wait: impl FnOnce(Duration)) -> io::Result<Self> {
        let record = folder.join(NAME);
        let row = read(&record)?;
        let has_waited = row >= ROW;
        if has_waited {
            // The record is removed before the wait: an order to stop ends this process at once, and such a run must
            // not count.
            fs::remove_file(&record)?;
            wait(WAIT);
        }
        write(&record, ROW.min(row + 1))?;
        Ok(Self { record, has_waited })
    }

    /// Clears the record once this run has lasted long enough. Run it in a task of its own.
    pub async fn outlast(self) {
        if self.has_waited {
            warn!(
                lives = ROW,
                "the last runs of this daemon ended within 2 s, so this start has waited for 1 s"
            );
        }
        tokio::time::sleep(SHORT).await;
        self.clear();
    }

    /// Clears the record, because this run ends by order.
    pub fn clear(&self) {
        match fs::remove_file(&self.record) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                debug!(%error, record = %self.record.display(), "cannot remove the record of short runs");
            }
            _ => {}
        }
    }
}

/// Returns the number of consecutive short runs. A file that is not a valid record counts as zero.
fn read(record: &Path) -> io::Result<usize> {
    let file = match open(record, OFlags::RDONLY) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut lives = vec![];
    file.take(ROW as u64 + 1).read_to_end(&mut lives)?;
    let is_record = lives.len() <= ROW && lives.iter().all(|byte| *byte == LIFE);
    Ok(if is_record { lives.len() } else { 0 })
}

fn write(record: &Path, lives: usize) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
    open(record, flags)?.write_all(&vec![LIFE; lives])
}

/// Opens a regular file without blocking.
fn open(record: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(record, flags, Mode::from_raw_mode(0o600))?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The end of a run.
    #[derive(Clone, Copy)]
    enum End {
        /// After less than 2 s.
        Short,
        /// By order.
        Ordered,
        /// After 2 s or more.
        Long,
    }
    use End::{Long, Ordered, Short};

    /// Starts a run and ends it. Returns whether the start waited.
    async fn lives(folder: &Path, end: End) -> bool {
        let mut waited = None;
        let life = CrashRecord::begin_after(folder, |time| waited = Some(time)).unwrap();
        assert_eq!(life.has_waited, waited.is_some());
        assert!(waited.is_none_or(|time| time == WAIT));
        match end {
            Short => drop(tokio::time::timeout(Duration::from_millis(1_999), life.outlast()).await),
            Ordered => life.clear(),
            Long => life.outlast().await,
        }
        waited.is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_is_delayed_after_five_short_runs_in_a_row() {
        for (row, waits) in [
            (&[][..], false),
            (&[Short; 4], false),
            (&[Short; 5], true),
            (&[Short; 9], true),
            (&[Short, Short, Ordered, Short, Short, Short], false),
            (&[Short, Short, Long, Short, Short, Short, Short], false),
            (&[Short, Long, Short, Short, Short, Short, Short], true),
            (&[Short, Short, Short, Short, Short, Ordered], false),
            (&[Short, Short, Short, Short, Short, Long], false),
            (&[Ordered; 9], false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for end in row {
                lives(folder.path(), *end).await;
            }
            assert_eq!(lives(folder.path(), Short).await, waits, "{}", row.len());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_request_during_the_start_delay_clears_the_crash_record() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..5 {
            lives(folder.path(), Short).await;
        }
        let life = CrashRecord::begin_after(folder.path(), |_| {
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        });
        assert!(life.unwrap().has_waited);
        assert!(lives(folder.path(), Short).await, "it was a short one");
    }

    #[test]
    fn an_unreadable_or_unwritable_crash_record_causes_no_delay() {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join(NAME);
        let never = |_| panic!("it waits");
        let missing = CrashRecord::begin_after(&folder.path().join("missing"), never);
        assert!(missing.is_err());

        for garbage in [&b"......"[..], b"..x..", b"\xff\0", b"5", &[LIFE; 4_096]] {
            fs::write(&record, garbage).unwrap();
            let life = CrashRecord::begin_after(folder.path(), never).unwrap();
            assert_eq!(fs::read(&record).unwrap(), [LIFE], "it is one again");
            life.clear();
        }

        rustix::fs::mkfifoat(rustix::fs::CWD, &record, Mode::from_raw_mode(0o600)).unwrap();
        assert!(CrashRecord::begin_after(folder.path(), never).is_err());
        fs::remove_file(&record).unwrap();
        fs::write(folder.path().join("elsewhere"), [LIFE; ROW]).unwrap();
        symlink("elsewhere", &record).unwrap();
        assert!(CrashRecord::begin_after(folder.path(), never).is_err());
        fs::remove_file(&record).unwrap();
        fs::create_dir(&record).unwrap();
        assert!(CrashRecord::begin_after(folder.path(), never).is_err());
    }
}
