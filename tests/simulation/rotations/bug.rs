//! The bugs that a test can plant into rotations.

/// A bug in what is between the daemon and its issuer, files, clock or clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The old key is deleted when the new one is created, before the new one is stored and proven.
    DeletesEarly,
    /// Each creation of a key uses another name.
    ManyNames,
    /// No journal is kept until the record has a rotation.
    NoJournal,
    /// The list only shows the keys of the record, so a key that a lost call created is not found.
    NoLastLook,
    /// The deletion of the old key reports success without deleting it.
    KeepsOldKey,
    /// The rotation's clock runs twenty times too fast.
    HastyClock,
    /// The clients get tokens of the old key after its deletion.
    OldTokens,
    /// The profile cannot read its credential during a rotation.
    HeldStore,
}
