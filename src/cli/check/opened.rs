//! A running daemon's findings about the credentials that only it can open.

use super::super::admin;
use super::super::clusters::{self, DaemonAt};
use super::super::doctor;
use super::super::target::Target;
use crate::fault::Block;
use crate::lifecycle::Phase;
use crate::offload;
use crate::paths::Env;
use crate::profile::ProfileName;

/// The faults that the target's daemon reports of these profiles' credentials; empty without a daemon.
pub(super) fn unusable(target: &Target, env: &Env, names: &[ProfileName]) -> Vec<String> {
    let Ok(places) = admin::places(target, env) else {
        return vec![];
    };
    let Ok(runtime) = offload::event_loop() else {
        return vec![];
    };
    if names.is_empty() {
        return vec![];
    }
    let daemon = DaemonAt {
        token: places.token,
        admin: Some(places.admin),
    };
    let listed = runtime.block_on(async {
        let listed = doctor::listed(&daemon.token).await?;
        clusters::is_its_daemon(&daemon, target)
            .await
            .then_some(listed)
    });
    let replies = listed.unwrap_or_default().into_iter();
    let of_ours = replies.filter_map(|reply| {
        let name = names.iter().find(|it| it.as_str() == reply.profile)?;
        Some((name, reply))
    });
    let faults = of_ours.filter(|(_, reply)| reply.phase != Phase::Locked);
    faults
        .filter_map(|(name, reply)| {
            let why = reply.unusable?;
            // Our own look found a record, so the daemon looks in another place: its configuration is an older one.
            let is_elsewhere = why == Block::NotEnrolled(name.clone()).to_string();
            (!is_elsewhere).then(|| {
                format!(
                    "{}: the daemon cannot use its credential: {why}",
                    reply.profile
                )
            })
        })
        .collect()
}
