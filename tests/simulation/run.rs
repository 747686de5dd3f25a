//! One seed, one run.

use std::cell::RefCell;

use tokio::runtime::Runtime;

use crate::bug::Bug;
use crate::coverage::Coverage;
use crate::daemon::Daemon;
use crate::history::History;
use crate::story::Story;
use crate::world::World;

/// What came of one run.
pub(crate) struct Run {
    pub(crate) history: History,
    pub(crate) coverage: Coverage,
    /// What went wrong with the run itself.
    pub(crate) panics: Vec<String>,
}

/// Whether a run is the seed's alone.
pub(crate) const IS_SEEDED: bool = cfg!(tokio_unstable);

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(vec![]) };
}

/// Has panics of tasks told by the run that they happen in, since tokio keeps them to itself.
pub(crate) fn catch_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
        usual(info);
    }));
}

/// Plays one seed, with a bug planted or without one.
pub(crate) fn play(seed: u64, bug: Option<Bug>) -> Run {
    begin(seed);
    let runtime = event_loop(seed);
    let world = runtime.block_on(async {
        let world = World::new(seed, bug);
        let daemon = Daemon::start(&world).await;
        Story::new(&world, daemon).play().await;
        world
    });
    // What still runs ends here, and is no part of the run.
    let state = &mut *world.state();
    let (history, coverage) = (std::mem::take(&mut state.history), state.coverage.clone());
    Run {
        history,
        coverage,
        panics: panics(),
    }
}

/// Begins a run on this thread: nothing is left of the one before.
pub(crate) fn begin(seed: u64) {
    PANICS.with_borrow_mut(Vec::clear);
    // The jitter's generator is this thread's.
    fastrand::seed(seed);
}

/// The panics since the run began.
pub(crate) fn panics() -> Vec<String> {
    PANICS.with_borrow_mut(std::mem::take)
}

/// An event loop on a paused clock.
pub(crate) fn event_loop(seed: u64) -> Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    // In which order those are woken who wait for one thing is chance, too.
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    #[cfg(not(tokio_unstable))]
    let _: u64 = seed;
    builder.build().unwrap()
}
