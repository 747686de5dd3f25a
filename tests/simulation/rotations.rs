//! Rotations: one seed is one machine on which a profile's key is rotated several times, while calls to the API of keys are
//! refused, lost, executed late or twice, the store writes late, the machine sleeps, and its daemon is killed.
//!
//! Every process is an event loop of its own. A process that is killed is one whose event loop is dropped: each of its
//! tasks ends at an `await`. Its clock, its files and its issuer go on to the next one. The rotations, the store of
//! files and the journals are the shipped ones, with files in memory; only their threads are not, since those would take
//! any time on a paused clock.

mod bug;
mod checker;
mod history;
mod issuer;
mod keyring;
mod keys;
mod plane;
mod process;
mod source;
mod story;
mod tally;
mod world;

pub(crate) use bug::Bug;
pub(crate) use checker::{Rule, check};
use history::History;
pub(crate) use tally::Tally;
use world::World;

use crate::run;

/// No run has more processes than this.
const MOST_PROCESSES: u64 = 400;

/// What came of one run.
pub(crate) struct Run {
    pub(crate) history: History,
    pub(crate) tally: Tally,
    /// What went wrong with the run itself.
    pub(crate) panics: Vec<String>,
}

/// Plays one seed, with a bug planted or without one.
pub(crate) fn play(seed: u64, bug: Option<Bug>) -> Run {
    run::begin(seed);
    let world = World::new(seed, bug);
    for process in 0.. {
        let event_loop = run::event_loop(seed.wrapping_mul(MOST_PROCESSES) + process);
        if event_loop.block_on(story::live(&world)) {
            break;
        }
        assert!(process < MOST_PROCESSES, "seed {seed} does not end");
    }
    let state = &mut *world.state();
    Run {
        history: std::mem::take(&mut state.history),
        tally: state.tally,
        panics: run::panics(),
    }
}
