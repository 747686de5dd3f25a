//! The parts needed for calls outside the keeper's attempts.

use std::sync::Arc;

use super::super::bulkhead::Compartment;
use crate::provider::Provider;

/// Makes calls to the profile's issuer outside the keeper's attempts.
pub(super) struct Prover {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) compartment: Compartment,
}
