//! The formats of sinks that depend on the rest of the profile: on its addresses, or on its control plane.

use std::path::PathBuf;

use url::Host;

use super::super::super::Provider;
use super::super::super::hosts::HostEntry;
use crate::address::Address;
use crate::file_format::{Format, Machine, RUNAI_TOKEN_FILE};

/// Converts the addresses of a profile to machines of a netrc file. Such a file has neither paths nor ports, so an
/// address with either is left out, except for ports of loopback addresses.
pub(super) fn netrc(hosts: &[HostEntry]) -> Result<Format, &'static str> {
    let mut machines: Vec<Machine> = vec![];
    for entry in hosts {
        let Some(host) = machine(&entry.url) else {
            continue;
        };
        if machines.iter().all(|machine| machine.host != host) {
            let login = entry.username.clone();
            machines.push(Machine {
                host,
                login: login.unwrap_or_else(|| "oauth2".to_owned()),
            });
        }
    }
    let is_word = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_graphic() && !"\"'\\#".contains(c))
    };
    if machines.iter().any(|machine| !is_word(&machine.login)) {
        return Err("with format = \"netrc\" a username is one word, without quotes, \\ and #");
    }
    match machines.is_empty() {
        true => Err(
            "with format = \"netrc\" the profile needs a hosts entry whose url has no path and no port: programs send the token to every path and port of a machine",
        ),
        false => Ok(Format::Netrc(machines)),
    }
}

/// Returns the name of the machine, if the address covers all its paths and all its ports.
fn machine(address: &Address) -> Option<String> {
    let host = address.host();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name.to_owned(), Some(port)),
        _ => (host.clone(), None),
    };
    let is_loopback = match Host::parse(&name) {
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    let is_free = port.is_none() || is_loopback;
    (address.path().is_empty() && is_free).then_some(name)
}

pub(super) fn runai_cli(provider: &Provider, cluster: String) -> Result<Format, &'static str> {
    match provider {
        Provider::Runai(runai) => Ok(Format::RunaiCli {
            url: runai.url.base().as_str().trim_end_matches('/').to_owned(),
            cluster,
        }),
        Provider::Oauth2(_) => Err("format = \"runai-cli\" is for provider = \"runai\""),
    }
}

/// Returns the path of a sink's file. For `runai-cli` the folder is enough, since Run:ai defines the names in it.
pub(super) fn file(format: &Format, path: PathBuf) -> Result<PathBuf, &'static str> {
    if !matches!(format, Format::RunaiCli { .. }) || path.ends_with(RUNAI_TOKEN_FILE) {
        return Ok(path);
    }
    if path
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return Err("with format = \"runai-cli\" the file is called authentication.json");
    }
    Ok(path.join(RUNAI_TOKEN_FILE))
}
