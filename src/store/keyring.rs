//! The store in the OS keyring: one entry per profile, whose secret is the same record as in a file, and during a
//! rotation in place a second entry.
//!
//! A keyring may wait for a person, or for ever, and the crates that talk to it may panic. So each call runs in a
//! process of its own (`process`), one at a time (`turn`). The process first checks whether the keyring would wait
//! (each system's own file). No call ever makes the keyring prompt the person.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use self::call::{Answer, Call, MakeCall, Outcome};
use self::process::Process;
use self::turn::CallQueue;
use super::access::{Backend, Slots};
use super::{About, ChangeSource, ProfileLock, Store, StoreError, StoreErrorKind};
use crate::profile::ProfileName;

mod call;
mod error;
mod fault;
#[cfg(target_os = "macos")]
mod keychain;
mod process;
#[cfg(not(target_os = "macos"))]
mod secret_service;
mod signal;
mod turn;
mod watch;

#[cfg(target_os = "macos")]
use self::keychain as system;
#[cfg(not(target_os = "macos"))]
use self::secret_service as system;

pub use self::call::{Item, Operation};
pub use self::fault::KeyringFault;
pub use self::process::COMMAND;
pub use self::signal::Signal;
pub use self::watch::{KeyringWatch, WATCH_COMMAND, serve_watch};

/// Time limit of a keyring call. A working keyring takes some milliseconds, or a second if it must be started first. A
/// slower one is waiting for a person.
const LIMIT: Duration = Duration::from_secs(3);

/// A store in the keyring of the user's session. It keeps no state between calls: a restarted keyring works as before,
/// and an idle daemon has no keyring data in memory.
pub struct KeyringStore {
    records: Entries,
    kept: Entries,
}

/// The entries of one kind.
struct Entries {
    item: Item,
    calls: Arc<Calls>,
}

/// The calls to the keyring, one at a time.
struct Calls {
    make: Box<dyn MakeCall>,
    turn: CallQueue,
    limit: Duration,
}

/// Makes one call to the system's keyring, on behalf of the parent process; see [`COMMAND`].
///
/// # Errors
/// If the parent process is gone.
pub fn serve_call(operation: Operation, item: Item, profile: &ProfileName) -> io::Result<()> {
    // The parent's thread that waits for the outcome ends with its process, so this process must end with it, too.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let open = |profile: &str| system::open(item.service(), profile, LIMIT);
    let (input, output) = (io::stdin().lock(), io::stdout().lock());
    call::serve(operation, item, profile, open, input, output)?;
    if operation == Operation::Save && item == Item::Record {
        system::announce(item.service(), profile.as_str());
    }
    Ok(())
}

impl KeyringStore {
    /// Creates the store in the system's keyring. Touches nothing before the first call.
    pub fn new() -> Self {
        Self::with(Process::new(LIMIT), LIMIT)
    }

    fn with(calls: impl MakeCall + 'static, limit: Duration) -> Self {
        let calls = Arc::new(Calls {
            make: Box::new(calls),
            turn: CallQueue::default(),
            limit,
        });
        let entries = |item| Entries {
            item,
            calls: Arc::clone(&calls),
        };
        Self {
            records: entries(Item::Record),
            kept: entries(Item::Kept),
        }
    }
}

impl Entries {
    /// Calls the keyring when it is this call's turn.
    fn ask(&self, operation: Operation, profile: &ProfileName, content: &[u8]) -> Outcome {
        let call = Call {
            operation,
            item: self.item,
            profile,
            content,
        };
        let Calls { make, turn, limit } = &*self.calls;
        let outcome = turn.run(*limit, || {
            let outcome = make.make(call);
            let late = matches!(outcome.result, Err(KeyringFault::Timeout));
            (outcome, late)
        });
        outcome.unwrap_or_else(|_| Outcome::not_begun(KeyringFault::Timeout))
    }
}

impl Default for KeyringStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for KeyringStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringStore").finish_non_exhaustive()
    }
}

fn unavailable(fault: KeyringFault) -> StoreErrorKind {
    StoreErrorKind::Unavailable(Box::new(fault))
}

impl Slots for KeyringStore {
    fn records(&self) -> &dyn Backend {
        &self.records
    }

    fn slot(&self) -> &dyn Backend {
        &self.kept
    }
}

impl Store for KeyringStore {
    fn about(&self) -> About {
        About {
            noun: "OS keyring",
            name: system::NAME,
            in_state: false,
        }
    }

    fn place_of(&self, _: &ProfileName) -> String {
        self.about().title()
    }

    fn probe(&self, profile: &ProfileName) -> Result<(), StoreError> {
        let outcome = self.records.ask(Operation::Probe, profile, &[]);
        let result = outcome.result.map(drop);
        result.map_err(|fault| self.records.error(profile, unavailable(fault)))
    }
}

impl Backend for Entries {
    fn read(&self, profile: &ProfileName) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        match self.ask(Operation::Load, profile, &[]).result {
            Ok(Answer::Secret(content)) => Ok(Some(content)),
            Ok(Answer::NoEntry | Answer::Done) => Ok(None),
            Err(fault) => Err(self.error(profile, unavailable(fault))),
        }
    }

    fn write(&self, lock: &ProfileLock, bytes: &[u8]) -> Result<(), StoreError> {
        self.change(Operation::Save, lock.profile(), bytes)
            .map(drop)
    }

    fn delete(&self, lock: &ProfileLock) -> Result<bool, StoreError> {
        let answer = self.change(Operation::Remove, lock.profile(), &[])?;
        Ok(answer == Answer::Done)
    }

    fn change_sources(&self, _: &ProfileName) -> Vec<ChangeSource> {
        vec![ChangeSource::Keyring]
    }

    fn error(&self, profile: &ProfileName, kind: StoreErrorKind) -> StoreError {
        StoreError {
            place: format!("the OS keyring's {} for {profile}", self.item.noun()),
            kind,
            changed: false,
        }
    }
}

impl Entries {
    fn change(
        &self,
        operation: Operation,
        profile: &ProfileName,
        content: &[u8],
    ) -> Result<Answer, StoreError> {
        let Outcome { result, begun } = self.ask(operation, profile, content);
        result.map_err(|fault| StoreError {
            changed: begun,
            ..self.error(profile, unavailable(fault))
        })
    }
}

#[cfg(test)]
mod tests;
