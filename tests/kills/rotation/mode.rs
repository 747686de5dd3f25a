//! The modes of rotation: one row each.

use std::process::Command;

use super::form::{Form, OF_IN_PLACE, OF_OVERLAP};
use super::phase::Phase;
use crate::behaviour::Behaviour;
use crate::place::PROFILE;
use crate::support::TestEnv;
use crate::tracer::Group;

/// The client ID of the key that is rotated.
pub(crate) const FIRST: &str = "test-client";

/// A mode of rotation.
pub(crate) struct Mode {
    /// The name for people.
    pub(crate) name: &'static str,
    program: Program,
    /// The arguments of the program.
    pub(crate) arguments: &'static [&'static str],
    /// A part of its output when the rotation is done, beside exit code 0.
    pub(crate) claim: &'static str,
    /// Whether the secret is replaced in place.
    pub(crate) is_in_place: bool,
    /// The lifetime of tokens, in seconds.
    pub(crate) life: u64,
    /// The phases, each a row of its table.
    pub(crate) phases: &'static [Phase],
    /// The phases that last long enough to break the disk or to kill the command in them.
    pub(crate) long_phases: &'static [Phase],
    /// The folders of the state to which the rotation writes.
    pub(crate) folders: &'static [&'static str],
    /// The behaviours of the control plane during the rotation.
    pub(crate) forms: &'static [Form],
    /// The cells of its table that cannot be filled.
    pub(crate) never: &'static [ImpossibleCells],
}

enum Program {
    Jeton,
    Jetond,
}

/// Cells that cannot be filled.
pub(crate) struct ImpossibleCells {
    pub(crate) phases: &'static [Phase],
    pub(crate) behaviours: &'static [Behaviour],
    pub(crate) groups: &'static [Group],
    pub(crate) why: &'static str,
}

/// The modes.
pub(crate) const MODES: &[Mode] = &[
    Mode {
        name: "rotate",
        program: Program::Jeton,
        arguments: &["rotate", PROFILE, "--json"],
        claim: r#""step":"switched""#,
        is_in_place: false,
        // The old key is deleted after four lifetimes, which is also how long a rotation waits for late calls.
        life: 15,
        phases: Phase::OF_OVERLAP,
        long_phases: &[
            Phase::Checking,
            Phase::Creating,
            Phase::Proving,
            Phase::Grace,
            Phase::Deleting,
        ],
        folders: &["credentials", "rotations"],
        forms: OF_OVERLAP,
        never: OVERLAP_NEVER,
    },
    Mode {
        name: "rotate --in-place",
        program: Program::Jeton,
        arguments: &["rotate", PROFILE, "--in-place", "--yes", "--json"],
        claim: r#""end":"done""#,
        ..IN_PLACE
    },
    Mode {
        name: "app regenerate",
        program: Program::Jetond,
        arguments: &["app", "regenerate", FIRST, PROFILE, "--yes"],
        claim: "has a new secret, and research uses it",
        ..IN_PLACE
    },
];

/// What the two commands for a rotation in place have in common.
const IN_PLACE: Mode = Mode {
    name: "",
    program: Program::Jeton,
    arguments: &[],
    claim: "",
    is_in_place: true,
    // The daemon keeps a token that lasts for 15 minutes.
    life: 3_600,
    phases: Phase::OF_IN_PLACE,
    long_phases: &[Phase::Checking, Phase::Regenerating, Phase::Renewed],
    folders: &["credentials", "rotations", "kept"],
    forms: OF_IN_PLACE,
    never: IN_PLACE_NEVER,
};

const CALLS: &[Group] = &[Group::Connect, Group::Send, Group::Receive];

const OVERLAP_NEVER: &[ImpossibleCells] = &[
    ImpossibleCells {
        phases: &[Phase::Stored, Phase::Switched, Phase::Settled],
        behaviours: &Behaviour::ALL,
        groups: CALLS,
        why: "nothing is asked between the write of the record and that of the journal",
    },
    ImpossibleCells {
        phases: &[Phase::Settled],
        behaviours: &Behaviour::ALL,
        groups: &[Group::Write],
        why: "the journal is only removed",
    },
    ImpossibleCells {
        phases: &[Phase::Undoing],
        behaviours: &[Behaviour::Answers],
        groups: &Group::ALL,
        why: "a control plane that answers gives no reason to undo a rotation",
    },
    ImpossibleCells {
        phases: &[Phase::Undoing],
        behaviours: &[
            Behaviour::Swallows,
            Behaviour::Late,
            Behaviour::Twice,
            Behaviour::Fails,
        ],
        groups: &[Group::Write],
        why: "no key was stored, so the record is as it was",
    },
];

const IN_PLACE_NEVER: &[ImpossibleCells] = &[
    ImpossibleCells {
        phases: &[
            Phase::Keeping,
            Phase::Noting,
            Phase::Answered,
            Phase::Settled,
        ],
        behaviours: &Behaviour::ALL,
        groups: CALLS,
        why: "nothing is asked between two writes that belong together",
    },
    ImpossibleCells {
        phases: &[Phase::Settled],
        behaviours: &Behaviour::ALL,
        groups: &[Group::Write],
        why: "the second slot and the journal are only removed",
    },
];

// === impl Mode ===

impl Mode {
    /// Returns the command that requests the rotation.
    pub(crate) fn command(&self, env: &TestEnv) -> Command {
        match self.program {
            Program::Jeton => {
                let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
                command.args(self.arguments);
                command
            }
            Program::Jetond => env.jetond_command(self.arguments),
        }
    }
}
