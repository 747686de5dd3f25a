//! The steps of a command while an enrolment is written.

use super::super::output::Exit;

/// The steps between the writing of the record and of the configuration.
pub(in super::super) struct Steps<'a> {
    /// Proves what is stored; the profile is written only if that succeeds.
    pub(in super::super) proof: &'a dyn Fn() -> Result<(), Exit>,
    /// Called before the record is removed again.
    pub(in super::super) undoing: &'a dyn Fn(),
}

impl Steps<'static> {
    /// No steps: the credential was proved before.
    pub(in super::super) const NONE: Self = Self {
        proof: &|| Ok(()),
        undoing: &|| {},
    };
}
