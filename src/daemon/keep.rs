//! Keeps profiles: one task per profile owns the profile's state and publishes a view. This room names nothing of the
//! daemon outside itself.
//!
//! # Map
//! | File | What it does | Names | Edges |
//! |---|---|---|---|
//! | [`feed`] | the events of a profile, for one watcher | handle roster | clock |
//! | [`roster`] | the profiles by name, and which caller may use which | handle | |
//! | [`looks`] | looks into the stores of many profiles | handle | |
//! | [`handle`] | a profile as the rest of the daemon uses it | attempt bulkhead jumps keeper lookups patience sink_board waiters | clock provider store |
//! | [`lookups`] | calls of an issuer's API beside the attempts, one at a time | | clock |
//! | [`keeper`] | one task per profile, which alone owns its state | attempt bulkhead jumps waiters | clock provider store |
//! | [`attempt`] | one call of an attempt to get a token | bulkhead waiters | clock provider |
//! | [`bulkhead`] | limits how many calls run at once | crowds queue waiters | clock |
//! | `crowds` | the issuers at which attempts wait, as the log says | | process |
//! | `queue` | decides which attempt calls its issuer next, and how many may at once | | |
//! | [`patience`] | how long a caller may wait, and what ends its wait early | | |
//! | [`sink_board`] | what the files of a profile hold | | |
//! | `waiters` | the callers that wait for a profile's token, and its attempt's wait | | |
//! | [`jumps`] | notices that the machine was suspended or its wall clock set | | clock |
//! | [`rounds`] | the moments at which what cannot be watched is checked | | clock |

pub mod attempt;
pub mod bulkhead;
mod crowds;
pub mod feed;
pub mod handle;
pub mod jumps;
pub mod keeper;
pub mod looks;
pub mod lookups;
pub mod patience;
mod queue;
pub mod roster;
pub mod rounds;
pub mod sink_board;
mod waiters;
