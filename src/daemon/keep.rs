//! Keeps profiles: one task per profile owns the profile's state and publishes a view. This room names nothing of the
//! daemon outside itself.
//!
//! # Map
//! | File | What it does | Names | Edges |
//! |---|---|---|---|
//! | [`feed`] | the events of a profile, for one watcher | handle roster | clock |
//! | [`roster`] | the profiles by name, and which of them a caller may use | handle | |
//! | [`rechecks`] | rechecks the stored credentials of many profiles at once | handle | |
//! | [`handle`] | access to a profile for the rest of the daemon | attempt bulkhead jumps keeper api_queries mailbox wait_limit sink_states waiters | clock provider store |
//! | [`api_queries`] | calls to an issuer's API that are not token requests, one at a time | | clock |
//! | [`keeper`] | the task of a profile, the only owner of its state | attempt bulkhead jumps mailbox waiters | clock provider store |
//! | [`attempt`] | one call to the issuer, as part of an attempt | bulkhead waiters | clock provider |
//! | [`bulkhead`] | limits how many calls run at once | wait_logs queue waiters | clock |
//! | `wait_logs` | log messages about issuers at which attempts have to wait | | process |
//! | `queue` | decides which attempt may call its issuer next, and how many may run at once | | |
//! | `mailbox` | the queue of commands to a keeper | | |
//! | [`wait_limit`] | how long a caller may wait, and why a wait may end early | | |
//! | [`sink_states`] | the state of the files that a profile's token is written to | | |
//! | `waiters` | counts the callers that wait for a profile's token, and times its queued attempt | | |
//! | [`jumps`] | notices when the machine was suspended or its wall clock was set | | clock |

pub mod api_queries;
pub mod attempt;
pub mod bulkhead;
pub mod feed;
pub mod handle;
pub mod jumps;
pub mod keeper;
mod mailbox;
mod queue;
pub mod rechecks;
pub mod roster;
pub mod sink_states;
pub mod wait_limit;
mod wait_logs;
mod waiters;
