//! Runs one seed.

use std::cell::RefCell;

use tokio::runtime::Runtime;

use crate::bug::Bug;
use crate::coverage::Coverage;
use crate::daemon::Daemon;
use crate::history::History;
use crate::story::Story;
use crate::world::World;

/// The result of a run.
pub(crate) struct Run {
    pub(crate) history: History,
    pub(crate) coverage: Coverage,
    /// The panics of the run itself.
    pub(crate) panics: Vec<String>,
}

/// Whether only the seed decides about a run.
pub(crate) const IS_SEEDED: bool = cfg!(tokio_unstable);

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(vec![]) };
}

/// Makes each run report the panics of its tasks, which tokio would hide.
pub(crate) fn catch_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
        usual(info);
    }));
}

/// Plays one seed, with or without a planted bug.
pub(crate) fn play(seed: u64, bug: Option<Bug>) -> Run {
    begin(seed);
    let runtime = event_loop(seed);
    let world = runtime.block_on(async {
        let world = World::new(seed, bug);
        let daemon = Daemon::start(&world).await;
        Story::new(&world, daemon).play().await;
        world
    });
    // Tasks that still run end here, and do not belong to the run.
    let state = &mut *world.state();
    let (history, coverage) = (std::mem::take(&mut state.history), state.coverage.clone());
    Run {
        history,
        coverage,
        panics: panics(),
    }
}

/// Begins a run on this thread without any state of the previous one.
pub(crate) fn begin(seed: u64) {
    PANICS.with_borrow_mut(Vec::clear);
    // The jitter uses this thread's generator.
    fastrand::seed(seed);
}

/// Returns the panics since the run began.
pub(crate) fn panics() -> Vec<String> {
    PANICS.with_borrow_mut(std::mem::take)
}

/// Makes an event loop on a paused clock.
pub(crate) fn event_loop(seed: u64) -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    // The order in which waiting tasks are woken is random, too.
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    #[cfg(not(tokio_unstable))]
    let _: u64 = seed;
    builder.build().unwrap()
}
