//! What unit tests share.

use proptest::prelude::ProptestConfig;

use crate::config::{LookupFailed, Names};

/// Two thousand cases of a property, or as many as `PROPTEST_CASES` says beyond that.
pub(crate) fn many_cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(2_000),
        failure_persistence: None,
        ..default
    }
}

/// A machine that knows alice and bob, and the group team; it cannot say who carol is.
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
