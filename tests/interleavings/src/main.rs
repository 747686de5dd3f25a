//! Task interleavings of the keeper and its callers, under a scheduler that tries the orders in which tasks may run: no
//! wake-up is lost, and no request to the issuer is made twice.
//!
//! After a lost wake-up a task waits forever. The scheduler then finds no task that can run, and fails. Time stands
//! still, so that no timeout hides this. `JETON_SCHEDULES` sets the number of orders for each scenario (default 500).
//! Half of them are random, and half have few changes of priority (PCT), which finds faults that need a rare order.
#![allow(
    clippy::unwrap_used,
    reason = "a test that meets the unexpected fails by panicking"
)]

mod scenarios;
mod world;

// The modules without tasks and channels come from the library.
use jetond::{
    clock, command_line, config, credential, fault, instant, lifecycle, policy, problem, process,
    profile, provider, query, schedule, store, token, wire,
};

#[allow(
    dead_code,
    unused_imports,
    reason = "not all of what they can do is told"
)]
/// The tested files, unchanged: `src/keep` is a link to `src/daemon/keep`.
mod keep {
    pub mod api_queries;
    pub mod attempt;
    pub mod bulkhead;
    pub mod feed;
    pub mod handle;
    pub mod keeper;
    mod mailbox;
    mod queue;
    pub mod roster;
    pub mod sink_states;
    pub mod wait_limit;
    mod wait_logs;
    mod waiters;

    pub mod jumps {
        pub use jetond::daemon::keep::jumps::Jump;
    }
}

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};

fn main() {
    let schedules = std::env::var("JETON_SCHEDULES").map_or(500, |n| n.parse().unwrap());
    for (name, story) in scenarios::ALL {
        run(RandomScheduler::new(schedules / 2), story);
        run(PctScheduler::new(3, schedules - schedules / 2), story);
        println!("test {name} ... ok, in {schedules} orders");
    }
    println!("{} passed, 0 failed", scenarios::ALL.len());
}

fn run(scheduler: impl Scheduler + Send + 'static, story: fn()) {
    let mut config = shuttle::Config::new();
    config.stack_size = 0x4_0000;
    config.failure_persistence = shuttle::FailurePersistence::Print;
    shuttle::Runner::new(scheduler, config).run(story);
}
