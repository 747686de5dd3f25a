//! One call to the keyring, and the protocol with the process that makes it.
//!
//! The operation, the profile and the item are arguments of that process, and the content is its standard input. On
//! standard output it writes one byte before it requests the entry, then the outcome: a byte for its kind, then its
//! content.

use std::io::{self, Read, Write};

use keyring::Entry;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::KeyringFault;
use crate::profile::ProfileName;
use crate::store::{kept, record};

/// The byte that marks a begun call, then the first byte of each outcome.
const BEGUN: u8 = 1;
const DONE: u8 = 2;
const SECRET: u8 = 3;
const NO_ENTRY: u8 = 4;
const FAULT: u8 = 5;

/// What is asked of the keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Operation {
    /// Whether a credential can be kept in it, now.
    Probe,
    /// The entry's secret.
    Load,
    /// A new secret for the entry.
    Save,
    /// No entry any more.
    Remove,
}

/// Which of a profile's entries is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Item {
    /// Its record.
    Record,
    /// What a rotation keeps beside it.
    Kept,
}

/// One call. `content` is what [`Operation::Save`] saves, and otherwise empty.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    pub(super) item: Item,
    pub(super) profile: &'a ProfileName,
    pub(super) content: &'a [u8],
}

/// The keyring's answer.
#[derive(PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// The secret of the entry.
    Secret(Zeroizing<Vec<u8>>),
    NoEntry,
}

/// The outcome of a call.
pub(super) struct Outcome {
    pub(super) result: Result<Answer, KeyringFault>,
    /// Whether the entry was requested: if so, the operation may have been carried out despite a fault.
    pub(super) begun: bool,
}

/// Makes calls to the keyring, one at a time, each with its own time limit.
pub(super) trait MakeCall: Send + Sync {
    fn make(&self, call: Call<'_>) -> Outcome;
}

// === impl Item ===

impl Item {
    /// The service name of these entries; the user name of each is the profile.
    pub(super) const fn service(self) -> &'static str {
        match self {
            Self::Record => "jeton",
            Self::Kept => "jeton-kept",
        }
    }

    /// The noun for such an entry.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Record => "entry",
            Self::Kept => "second entry",
        }
    }

    /// The longest content, in bytes.
    const fn max_len(self) -> usize {
        match self {
            Self::Record => record::MAX_LEN,
            Self::Kept => kept::MAX_LEN,
        }
    }

    /// The longest answer, in bytes: the content and two bytes. Every fault is shorter.
    pub(super) const fn max_answer(self) -> usize {
        self.max_len() + 2
    }
}

// === impl Call ===

impl Call<'_> {
    /// Makes the call in this process, on the entry that `open` returns; calls `begin` before it requests the entry.
    pub(super) fn make(
        self,
        open: impl FnOnce(&str) -> Result<Entry, KeyringFault>,
        begin: impl FnOnce(),
    ) -> Result<Answer, KeyringFault> {
        let entry = open(self.profile.as_str())?;
        begin();
        let answer = match self.operation {
            Operation::Probe => Ok(Answer::Done),
            Operation::Load => entry
                .get_secret()
                .map(|secret| Answer::Secret(Zeroizing::new(secret))),
            Operation::Save => entry.set_secret(self.content).map(|()| Answer::Done),
            Operation::Remove => entry.delete_credential().map(|()| Answer::Done),
        };
        match answer {
            Err(keyring::Error::NoEntry) if self.operation != Operation::Save => {
                Ok(Answer::NoEntry)
            }
            answer => answer.map_err(|error| KeyringFault::of(&error)),
        }
    }
}

// === impl Outcome ===

impl Outcome {
    /// The outcome of a call that failed before it requested the entry.
    pub(super) const fn not_begun(fault: KeyringFault) -> Self {
        Self {
            result: Err(fault),
            begun: false,
        }
    }

    /// Parses the output of the process: the outcome, `None` if it is incomplete, and whether the call was begun.
    pub(super) fn read(written: &[u8]) -> (Option<Result<Answer, KeyringFault>>, bool) {
        let (begun, written) = match written {
            [BEGUN, rest @ ..] => (true, rest),
            all => (false, all),
        };
        let result = match written {
            [DONE] => Some(Ok(Answer::Done)),
            [NO_ENTRY] => Some(Ok(Answer::NoEntry)),
            [SECRET, secret @ ..] => Some(Ok(Answer::Secret(Zeroizing::new(secret.to_vec())))),
            [FAULT, fault @ ..] => serde_json::from_slice(fault).ok().map(Err),
            _ => None,
        };
        (result, begun)
    }
}

/// Makes a call in this process on behalf of its parent, and writes the outcome.
///
/// # Errors
/// If the whole content cannot be read or the outcome cannot be written: then the parent is gone.
pub(super) fn serve(
    operation: Operation,
    item: Item,
    profile: &ProfileName,
    open: impl FnOnce(&str) -> Result<Entry, KeyringFault>,
    input: impl Read,
    mut output: impl Write,
) -> io::Result<()> {
    // Allocated at its final size, so that no growth leaves a copy behind.
    let limit = item.max_len();
    let mut content = Zeroizing::new(Vec::with_capacity(limit + 1));
    input.take(limit as u64).read_to_end(&mut content)?;
    // A parent that was killed, or whose write failed, has sent only a part, which must not replace an entry.
    if operation == Operation::Save && serde_json::from_slice::<IgnoredAny>(&content).is_err() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let call = Call {
        operation,
        item,
        profile,
        content: &content,
    };
    let mut begun = Ok(());
    let result = call.make(open, || begun = put(&mut output, BEGUN, &[]));
    begun?;
    match result {
        Ok(Answer::Done) => put(&mut output, DONE, &[]),
        Ok(Answer::NoEntry) => put(&mut output, NO_ENTRY, &[]),
        // An entry that is too long is cut; the reader then rejects it as malformed.
        Ok(Answer::Secret(secret)) => {
            let most = secret.len().min(limit);
            put(&mut output, SECRET, secret.get(..most).unwrap_or_default())
        }
        Err(fault) => put(&mut output, FAULT, &serde_json::to_vec(&fault)?),
    }
}

fn put(output: &mut impl Write, kind: u8, content: &[u8]) -> io::Result<()> {
    output.write_all(&[kind])?;
    output.write_all(content)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_of_the_keyring_process_reads_back_unchanged() {
        let faults = [
            KeyringFault::NoBus,
            KeyringFault::Foreign(7),
            KeyringFault::Failed("what".into()),
            KeyringFault::Process("what".into()),
        ];
        for fault in faults {
            let mut written = vec![];
            let profile = ProfileName::parse("a").unwrap();
            let refuse = |_: &str| Err(fault.clone());
            let (load, item) = (Operation::Load, Item::Record);
            serve(load, item, &profile, refuse, &b""[..], &mut written).unwrap();
            let (result, begun) = Outcome::read(&written);
            assert!(!begun);
            assert!(matches!(result, Some(Err(read)) if read == fault));
        }
        let secret = |bytes: &[u8]| Answer::Secret(Zeroizing::new(bytes.to_vec()));
        for (written, answer) in [
            (&[BEGUN, DONE][..], Answer::Done),
            (&[BEGUN, NO_ENTRY], Answer::NoEntry),
            (&[BEGUN, SECRET], secret(b"")),
            (&[BEGUN, SECRET, BEGUN, 0], secret(&[BEGUN, 0])),
        ] {
            let (result, begun) = Outcome::read(written);
            assert!(begun && result.is_some_and(|read| read.is_ok_and(|read| read == answer)));
        }
    }

    #[test]
    fn an_incomplete_record_is_not_saved() {
        let profile = ProfileName::parse("a").unwrap();
        let whole = br#"{"client_id":"a","client_secret":"canary"}"#;
        for len in 0..=whole.len() {
            let mut asked = false;
            let open = |_: &str| {
                asked = true;
                Err(KeyringFault::NoBus)
            };
            let served = serve(
                Operation::Save,
                Item::Record,
                &profile,
                open,
                &whole[..len],
                vec![],
            );
            assert_eq!(
                (served.is_ok(), asked),
                (len == whole.len(), len == whole.len())
            );
        }
    }

    #[test]
    fn an_incomplete_outcome_only_tells_whether_the_call_began() {
        for (written, begun) in [
            (&b""[..], false),
            (&[BEGUN], true),
            (&[BEGUN, DONE, 0], true),
            (&[BEGUN, BEGUN], true),
            (&[FAULT, b'{'], false),
            (b"thread main panicked", false),
        ] {
            let (result, was_begun) = Outcome::read(written);
            assert!(result.is_none() && was_begun == begun, "{written:?}");
        }
    }
}
