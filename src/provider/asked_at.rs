//! Names the whole address in the faults that may mean that it is the wrong one.

use crate::fault::{Fault, FaultKind};

/// The fault, with the address that was asked if a token endpoint would not answer so.
pub(super) fn asked_at(mut fault: Fault, address: impl FnOnce() -> String) -> Fault {
    let is_of_a_right_one = fault.is_of_credential()
        || matches!(fault.kind, FaultKind::ServerError | FaultKind::RateLimited);
    if !is_of_a_right_one {
        fault.detail = format!("{}; asked at {}", fault.detail, address());
    }
    fault
}
