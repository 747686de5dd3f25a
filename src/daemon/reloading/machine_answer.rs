//! Answers of the machine to repeated questions.

use crate::settings::name_service::Answers;
use crate::settings::{ConfigError, ConfigFile};

/// The machine's answer to a repeated question.
pub enum MachineAnswer {
    /// The names in the current configuration.
    Names(Answers),
    /// The configuration.
    Config(Box<Result<ConfigFile, ConfigError>>),
    /// No answer: the system refused a thread, or a disk hangs.
    Nothing,
}
