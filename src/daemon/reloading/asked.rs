//! What the machine is asked for again.

use crate::settings::name_service::Answers;
use crate::settings::{Found, Unusable};

/// What the machine answered when it was asked again.
pub enum Asked {
    /// For the names of the configuration in force.
    Names(Answers),
    /// For the configuration.
    Config(Box<Result<Found, Unusable>>),
    /// Nothing: the system refuses a thread, or a disk hangs.
    Nothing,
}
