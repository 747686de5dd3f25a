//! The bugs that can be planted into rotations.

/// A bug, in what stands between the daemon and its issuer, its files, its clock or its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The old key is deleted as soon as the new one is created, before the new one is stored and proven.
    DeletesEarly,
    /// A key is created under another name each time.
    ManyNames,
    /// No journal is kept until the record says that a rotation has begun.
    NoJournal,
    /// The list is read for nothing but the keys of the record: what a lost call created is not looked for.
    NoLastLook,
    /// The old key is not deleted, and said to be.
    KeepsOldKey,
    /// The rotation's clock runs twenty times too fast.
    HastyClock,
    /// The clients are given tokens of the old key after its end.
    OldTokens,
    /// The profile cannot read its credential while its key is being rotated.
    HeldStore,
}
