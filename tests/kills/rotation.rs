//! Rotations of a key during which the daemon is killed or its disk fails, with every behaviour of the control plane.
//!
//! | File | What it has |
//! |---|---|
//! | `mode` | the modes of rotation, one per row |
//! | `form` | the behaviour of the control plane during a rotation |
//! | `phase` | the progress of a rotation, from the disk |
//! | `live` | a daemon whose calls are observed as it makes them |
//! | `walk` | one rotation: disturbed, resumed by the next daemon, and judged |
//! | `disk_errors` | disk errors instead of a kill |
//! | `kills`, `table` | many kills and disk errors, and their table |
//! | `hosts` | two hosts with one home |
//! | `turns` | a limit for rotations that begin or end at the same time |
//!
//! After a kill the next daemon must serve a token within 2 s if a stored secret works, and every request until the
//! end. At the end, the stored secret must get a token. The control plane must have its key and no other key of the
//! rotation, and no output may be false. A rotation in place may end with the words that a person is needed, but only
//! if the issuer revokes tokens together with the secret, and no stored secret works. A killed command stops nothing.

mod disk_errors;
pub(crate) mod form;
mod hosts;
mod kills;
mod live;
pub(crate) mod mode;
pub(crate) mod phase;
mod table;
pub(crate) mod turns;
pub(crate) mod walk;

pub(crate) use hosts::run as run_hosts;
pub(crate) use kills::run;
