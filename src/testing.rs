//! What unit tests share.

use proptest::prelude::ProptestConfig;

/// Two thousand cases of a property, or as many as `PROPTEST_CASES` says beyond that.
pub(crate) fn many_cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(2_000),
        failure_persistence: None,
        ..default
    }
}
