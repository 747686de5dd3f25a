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
    /// The store reports that it keeps what a rotation in place needs, and does not.
    EmptySlot,
    /// A regeneration whose answer is lost is reported as one that was not sent.
    HiddenLoss,
    /// The issuer executes lost calls some minutes late.
    TardyIssuer,
    /// Some replicas of the issuer do not know a new secret for many minutes.
    SlowReplicas,
    /// The second slot is emptied while a rotation in place waits for a person.
    RestlessStore,
}
