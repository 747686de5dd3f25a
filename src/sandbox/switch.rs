//! The fault in force, and for how long.

use super::fault::Fault;

/// Which fault is in force.
#[derive(Debug, Default)]
pub(super) struct Switch {
    fault: Option<Fault>,
    /// For how many more requests; none means until it is changed.
    left: Option<u64>,
}

impl Switch {
    /// Puts a fault in force, for the next `requests` that it concerns or until it is changed.
    pub(super) fn set(&mut self, fault: Option<Fault>, requests: Option<u64>) {
        *self = Self {
            fault: fault.filter(|_| requests != Some(0)),
            left: requests,
        };
    }

    /// The fault in force.
    pub(super) const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// What the fault does to a request, if it concerns it: one request less of it is left.
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
