//! What a command does while an enrolment is written.

use super::super::output::Exit;

/// What is done between the record and the configuration.
pub(in super::super) struct Steps<'a> {
    /// Proves what is stored; the profile is written only if that succeeds.
    pub(in super::super) proof: &'a dyn Fn() -> Result<(), Exit>,
    /// Is called before the record is taken out again.
    pub(in super::super) undoing: &'a dyn Fn(),
}

impl Steps<'static> {
    /// Nothing: the credential was proved before.
    pub(in super::super) const NONE: Self = Self {
        proof: &|| Ok(()),
        undoing: &|| {},
    };
}
