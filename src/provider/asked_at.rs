//! Names the whole address in the faults that may mean that it is the wrong one.

use crate::fault::{Fault, FaultKind};

/// The fault, with the address that was asked if a token endpoint would not answer so.
pub(super) fn asked_at(mut fault: Fault, address: impl FnOnce() -> String) -> Fault {
    let may_be_wrong =
        fault.no_endpoint || matches!(fault.kind, FaultKind::Malformed | FaultKind::Redirect);
    if may_be_wrong {
        fault.detail = format!("{}; asked at {}", fault.detail, address());
    }
    fault
}
