//! Findings about the helpers of the caller's git: how git uses the tokens from the companion.

use std::collections::BTreeMap;

use super::super::git_config::REMEDY;
use super::super::setup::later_helpers;
use super::finding::Finding;
use super::limit::within;
use crate::config::Config;
use crate::paths::Env;

/// The helpers in the git configuration for this folder that get tokens or keep the companion from being asked.
pub(super) async fn examine(config: &Config, env: &Env) -> Vec<Finding> {
    let (hosts, env) = (config.hosts.clone(), env.clone());
    let found = within(move || {
        let hosts = hosts.iter();
        let hosts = hosts.flat_map(|(name, entries)| entries.iter().map(move |it| (&it.url, name)));
        let hosts: BTreeMap<_, _> = hosts.collect();
        let later = later_helpers(hosts.keys().copied(), &env).into_iter();
        let findings = later.map(|(url, helper)| {
            let finding = Finding::warn("git", format!("{url}: {}", helper.found()));
            let finding = finding.remedy(REMEDY.to_owned());
            match hosts.get(url) {
                Some(name) => finding.of(name),
                None => finding,
            }
        });
        findings.collect()
    });
    // A git that hangs shows that when it is used.
    found.await.unwrap_or_default()
}
