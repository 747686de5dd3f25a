//! What calls beside the attempts need.

use std::sync::Arc;

use super::super::bulkhead::Compartment;
use crate::provider::Provider;

/// Makes calls to the profile's issuer beside the attempts.
pub(super) struct Prover {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) compartment: Compartment,
}
