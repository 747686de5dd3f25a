//! The fault in force, and its remaining requests.

use super::fault::Fault;

/// The fault in force.
#[derive(Debug, Default)]
pub(super) struct ActiveFault {
    fault: Option<Fault>,
    /// The number of further requests that it affects; `None` means until it is changed.
    left: Option<u64>,
}

impl ActiveFault {
    /// Puts a fault in force, for the next `requests` that it affects or until it is changed.
    pub(super) fn set(&mut self, fault: Option<Fault>, requests: Option<u64>) {
        *self = Self {
            fault: fault.filter(|_| requests != Some(0)),
            left: requests,
        };
    }

    /// Returns the fault in force.
    pub(super) const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Returns the fault's effect on a request, and counts the request if the fault affects it.
    pub(super) fn take(&mut self, concerned: impl Fn(&Fault) -> Option<Fault>) -> Option<Fault> {
        let taken = concerned(self.fault.as_ref()?)?;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                *self = Self::default();
            }
        }
        Some(taken)
    }
}
