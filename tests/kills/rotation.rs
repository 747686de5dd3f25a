//! The rotation of a key: here the daemon is killed, or its disk fails, while the control plane behaves as it likes.
//!
//! | File | What it has |
//! |---|---|
//! | `mode` | the ways of rotating a key, a row each |
//! | `form` | how the control plane behaves meanwhile |
//! | `phase` | how far a rotation is, as the disk says |
//! | `live` | a daemon whose calls are seen while they are made |
//! | `walk` | one rotation: disturbed, taken up by the next daemon, judged |
//! | `disk_errors` | errors of the disk in the place of a kill |
//! | `kills`, `table` | many of both, and their table |
//! | `hosts` | two hosts with one home |
//! | `turns` | how many begin or end at once |
//!
//! After a kill the next daemon serves a token within 2 s, and every request until the end. At the end the stored secret
//! gets a token, the control plane has the key of it and none besides that the rotation made, and nothing was claimed that
//! was not so.

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
