//! The lines of `jeton status` for the files that a token is written to, below the profile's row.

use std::time::Duration;

use crate::dialect::human;
use crate::wire::{SinkReply, SinkState};

/// Describes a file to a person. `now` is in Unix seconds.
pub(super) fn line(sink: &SinkReply, now: u64) -> String {
    let SinkReply { path, format, .. } = sink;
    let age = sink.written_at.map(|at| {
        let age = Duration::from_secs(now.saturating_sub(at));
        format!("written {} ago", human::duration(age))
    });
    let why = sink.detail.as_deref().unwrap_or("for an unknown reason");
    let state = match (sink.state, age) {
        (SinkState::Fresh, age) => age.unwrap_or_else(|| "written".to_owned()),
        (SinkState::Waiting, _) => "waiting for a token".to_owned(),
        (SinkState::Failed, Some(age)) => format!("not fresh, {age}: {why}"),
        (SinkState::Failed, None) => format!("not written: {why}"),
        (SinkState::Removed, _) => "removed, since its token has expired".to_owned(),
        (SinkState::Expired, age) => {
            let age = age.map_or_else(String::new, |age| format!("; {age}"));
            format!("its token has expired{age}")
        }
    };
    let disk = if sink.on_disk { " on a disk" } else { "" };
    let of = sink
        .process
        .map_or_else(String::new, |pid| format!(" of process {pid}"));
    format!("{format} file{of}{disk} {path}: {state}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sink_state_is_shown_with_the_age_of_the_file() {
        let sink = |state, written_at, detail: Option<&str>| SinkReply {
            path: "/run/jeton/t".to_owned(),
            format: "raw".to_owned(),
            state,
            written_at,
            generation: None,
            expires_at: None,
            on_disk: false,
            process: None,
            detail: detail.map(str::to_owned),
        };
        for (state, written_at, detail, shown) in [
            (SinkState::Fresh, Some(820), None, "written 3 min ago"),
            (SinkState::Waiting, None, None, "waiting for a token"),
            (
                SinkState::Failed,
                Some(820),
                Some("the disk is full"),
                "not fresh, written 3 min ago: the disk is full",
            ),
            (
                SinkState::Failed,
                None,
                Some("the disk is full"),
                "not written: the disk is full",
            ),
            (
                SinkState::Removed,
                Some(820),
                None,
                "removed, since its token has expired",
            ),
            (
                SinkState::Expired,
                Some(820),
                None,
                "its token has expired; written 3 min ago",
            ),
        ] {
            let line = line(&sink(state, written_at, detail), 1_000);
            assert_eq!(line, format!("raw file /run/jeton/t: {shown}"));
        }
        let on_disk = SinkReply {
            on_disk: true,
            ..sink(SinkState::Waiting, None, None)
        };
        assert!(line(&on_disk, 0).starts_with("raw file on a disk /run"));
        let of_a_command = SinkReply {
            process: Some(4_711),
            ..sink(SinkState::Fresh, Some(820), None)
        };
        assert_eq!(
            line(&of_a_command, 1_000),
            "raw file of process 4711 /run/jeton/t: written 3 min ago"
        );
    }
}
