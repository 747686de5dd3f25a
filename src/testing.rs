//! Helpers that several unit tests share.

use proptest::prelude::ProptestConfig;

use crate::config::{LookupFailed, Names};

/// Configures two thousand cases of a property, or more if `PROPTEST_CASES` says so.
pub(crate) fn many_cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(2_000),
        failure_persistence: None,
        ..default
    }
}

/// A machine with the users alice and bob and the group team. A look-up of carol fails.
pub(crate) struct FewNames;

impl Names for FewNames {
    fn user(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        match name {
            "alice" => Ok(Some(1_001)),
            "bob" => Ok(Some(1_002)),
            "carol" => Err(LookupFailed("the directory does not answer".into())),
            "minus-one" => Ok(Some(u32::MAX)),
            _ => Ok(None),
        }
    }

    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        Ok((name == "team").then_some(50))
    }
}
