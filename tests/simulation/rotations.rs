//! Rotations: one seed is one machine on which a profile's key is rotated several times, with overlap or in place.
//!
//! Meanwhile calls to the API of keys are refused, lost, or executed late or twice, the store writes late, the
//! machine sleeps, and its daemon is killed.
//!
//! Every process has its own event loop. Dropping it stands for a kill: each of its tasks ends at an `await`. The
//! clock, the files and the issuer outlive it. The rotations, the file store and the journals are the shipped ones,
//! with files in memory. Only their threads are replaced, because a thread would take an arbitrary time on a paused
//! clock.

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

/// The maximum number of processes in a run.
const MOST_PROCESSES: u64 = 400;

/// The result of a run.
pub(crate) struct Run {
    pub(crate) history: History,
    pub(crate) tally: Tally,
    /// The panics of the run itself.
    pub(crate) panics: Vec<String>,
}

/// Plays one seed, with or without a planted bug.
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
