//! Identity of a daemon: its configuration and its state folder.

use std::path::{Path, PathBuf};

use tokio::time::Instant;

use crate::offload::ConcurrencyLimit;
use crate::problem::{Code, Problem};
use crate::query::Reloaded;
use crate::settings::{real_path, source_id};
use crate::wire::reload::{ReloadQuery, Source};

/// Returns the source that identifies this daemon.
pub(super) fn source(config: &Path, state: &Path) -> Source {
    let shown = |path: &Path| real_path(path).display().to_string();
    Source {
        config: shown(config),
        state: shown(state),
        id: source_id(config, state),
    }
}

/// Answers whether a request is meant for the daemon of this configuration and state. Reads nothing else.
///
/// # Errors
/// `conflict` if the request is meant for another daemon, or `unavailable` if that cannot be found out before `until`.
pub(super) async fn answer(
    lane: &ConcurrencyLimit,
    config: PathBuf,
    state: PathBuf,
    query: &ReloadQuery,
    until: Instant,
) -> Result<(Reloaded, Source), Problem> {
    let looked_up = lane.run(move || source(&config, &state));
    match tokio::time::timeout_at(until, looked_up).await {
        Ok(Ok(source)) if query.is_for(&source) => Ok((Reloaded::default(), source)),
        Ok(Ok(source)) => Err(meant_for_another(&source)),
        Ok(Err(_)) | Err(_) => Err(Problem::new(Code::Unavailable)
            .with_detail("which configuration this is could not be looked up; try again")),
    }
}

/// Returns the problem of a request that is meant for the daemon of another configuration or state.
pub(super) fn meant_for_another(ours: &Source) -> Problem {
    let has = format!("{}, with the state {}", ours.config, ours.state);
    Problem::new(Code::Conflict)
        .with_detail("this daemon uses another configuration or state than the request names")
        .because(has.into())
}
