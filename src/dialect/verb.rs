//! The companion's verbs, one a file.

pub(super) mod exec;
pub(super) mod header;
pub(super) mod ready;
pub(super) mod refresh;
pub(super) mod reject;
pub(super) mod reload;
pub(super) mod status;
pub(super) mod token;
pub(super) mod watch;
