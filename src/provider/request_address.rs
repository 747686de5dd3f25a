//! Adds the requested address to faults that may mean that the address is wrong.

use crate::fault::{Fault, FaultKind};

/// Adds the requested address to the fault, unless the answer shows that it was a token endpoint.
pub(super) fn with_request_address(mut fault: Fault, address: impl FnOnce() -> String) -> Fault {
    let is_of_a_right_one = fault.is_of_credential()
        || matches!(fault.kind, FaultKind::ServerError | FaultKind::RateLimited);
    if !is_of_a_right_one {
        fault.detail = format!("{}; asked at {}", fault.detail, address());
    }
    fault
}
