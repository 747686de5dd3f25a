//! Why a refresh that a person asks for is not made.

use crate::instant::BootInstant;
use crate::problem::Code;

/// Why a refresh that a person asks for is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum RefreshRefusal {
    /// The issuer rejected the credential, which is not sent again before its next probe.
    Rejected {
        /// When the probe is due, unless one runs.
        probe: Option<BootInstant>,
    },
    /// There were as many refreshes as may be asked for in this time.
    OverBudget {
        /// When the next one may be asked for.
        until: BootInstant,
    },
}

impl RefreshRefusal {
    /// What the caller is answered.
    pub(in super::super) const fn code(self) -> Code {
        match self {
            Self::Rejected { .. } => Code::RejectedByProvider,
            Self::OverBudget { .. } => Code::TooManyRequests,
        }
    }

    /// When asking again may help.
    pub(in super::super) const fn retry_at(self) -> Option<BootInstant> {
        match self {
            Self::Rejected { probe } => probe,
            Self::OverBudget { until } => Some(until),
        }
    }
}
