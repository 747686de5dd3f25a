//! `jeton explain`: says which profile serves an address, or why none does. It shows no token.

use super::super::args::{Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::failure::refusal;
use crate::address::Address;
use crate::problem::Code;
use crate::profile::ProfileName;
use crate::query::{ExplainAnswer, ExplainQuery, HostListing, Print, PrintContext, Question};
use crate::wire::frame::Reply;

static USERNAME: Opt = Opt {
    name: "--username",
    takes: OptionArgument::Word {
        name: "NAME",
        what: "a user name of letters, digits and ._-@+<>",
    },
    help: "explain it for a client that sends this user name",
};

static JSON: Opt = Opt {
    name: "--json",
    takes: OptionArgument::Nothing,
    help: "print JSON",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "explain",
    usage: "ADDRESS [PROFILE] [--username NAME] [--json]",
    does: "say which profile an address gets, or why it gets none",
    options: &[&USERNAME, &JSON],
    profile: Profile::Argument,
};

/// The most entries that a refusal names.
const MOST: usize = 3;

/// The reasons why no entry serves an address, from the closest match to the most distant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MatchDistance {
    /// The entry covers the address, but is for another user name.
    User,
    /// The entry covers the address, but belongs to another profile than the named one.
    Profile,
    /// The entry has a path, and the address has none.
    NoPath,
    /// The entry is for another path of the same host.
    Path,
    /// The entry is for another port, or for http instead of https.
    Port,
    /// The entry is for a parent or a subdomain of the host.
    Name,
}

/// The result for an address, as JSON.
#[derive(serde::Serialize)]
struct Body<'a> {
    address: String,
    /// The profile, its entry and the rest; all are null if no entry serves the address.
    profile: Option<&'a str>,
    entry: Option<String>,
    username: Option<&'a str>,
    auth: Option<&'static str>,
    /// The reason why no entry serves the address; null if one does.
    reason: Option<String>,
}

struct Explain {
    query: ExplainQuery,
    json: bool,
}

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let (operands, args) = GRAMMAR.read_after(call, |_| 1)?;
    let username = args.parsed(&USERNAME, username)?;
    let text = operands.first();
    let text = text.ok_or(GRAMMAR.wrong("an address is missing"))?;
    let query = ExplainQuery {
        address: Address::parse(text).map_err(|e| GRAMMAR.wrong(e.0))?,
        profile: args.profile(),
        username,
    };
    let json = args.has(&JSON);
    Ok(NextStep::Ask(Question::Explain(
        query.clone(),
        Box::new(Explain { query, json }),
    )))
}

/// Accepts a user name as clients have it. Nothing else is accepted, since it may be a misplaced secret.
fn username(text: &str) -> Option<String> {
    let is_of_name = |b: u8| b.is_ascii_alphanumeric() || b"._-@+<>".contains(&b);
    let is_name = !text.is_empty() && text.bytes().all(is_of_name);
    is_name.then(|| text.to_owned())
}

impl Print<ExplainAnswer> for Explain {
    fn print(&self, answer: &ExplainAnswer, _around: PrintContext<'_>) -> Reply {
        let address = &self.query.address;
        let why = match &answer.found {
            Some(_) => None,
            None => Some(self.why_none(&answer.hosts)),
        };
        let mut reply = match &why {
            None => Reply::default(),
            Some(why) => refusal(
                Code::UnknownProfile,
                &format!("{address} gets no token: {why}"),
            ),
        };
        let stdout = match &answer.found {
            found if self.json => json(address, found.as_ref(), why),
            Some(found) => table(address, found, &answer.hosts),
            None => String::new(),
        };
        reply.stdout = stdout.into_bytes().into();
        reply
    }
}

fn json(address: &Address, found: Option<&HostListing>, reason: Option<String>) -> String {
    let entry = found.map(|found| &found.entry);
    let auth = entry.and_then(|entry| entry.auth);
    let body = Body {
        address: address.to_string(),
        profile: found.map(|found| found.profile.as_str()),
        entry: entry.map(|entry| entry.url.to_string()),
        username: entry.and_then(|entry| entry.username.as_deref()),
        auth: auth.map(|auth| auth.as_str()),
        reason,
    };
    // A struct of strings always serialises.
    serde_json::to_string_pretty(&body).unwrap_or_default() + "\n"
}

fn table(address: &Address, found: &HostListing, hosts: &[HostListing]) -> String {
    let entry = &found.entry;
    let origin = entry.url.origin();
    let path = match entry.url.path() {
        "" => "for every path".to_owned(),
        path if path == address.path() => format!("the path is {path}"),
        path => format!("the path is below {path}"),
    };
    let others = hosts.iter().filter(|other| other.entry.url.covers(address));
    let longest = match others.count() {
        0 | 1 => String::new(),
        n => format!("; the longest of {n} entries that cover it"),
    };
    let username = entry.username.as_deref();
    let rows = [
        ("profile", found.profile.to_string()),
        ("address", address.to_string()),
        ("entry", entry.url.to_string()),
        ("matched", format!("{origin} exactly, and {path}{longest}")),
        (
            "username",
            username
                .unwrap_or("the client's own, else oauth2")
                .to_owned(),
        ),
        (
            "auth",
            entry
                .auth
                .map_or("what the server offers", |auth| auth.as_str())
                .to_owned(),
        ),
    ];
    rows.map(|(name, value)| format!("{name:<9} {value}\n"))
        .concat()
}

// === impl Explain ===

impl Explain {
    /// Says why no entry serves the address, by the closest ones.
    fn why_none(&self, hosts: &[HostListing]) -> String {
        let near = hosts
            .iter()
            .filter_map(|host| Some((self.near(host)?, host)));
        let mut near: Vec<_> = near.collect();
        near.sort_by_key(|(near, _)| *near);
        let Some(nearest) = near.first().map(|(near, _)| *near) else {
            return self.nothing_near(hosts);
        };
        let near = near.iter().filter(|(near, _)| *near == nearest);
        let near: Vec<_> = near
            .map(|(_, host)| (&host.profile, host.entry.url.to_string()))
            .collect();
        let shown = near
            .iter()
            .take(MOST)
            .map(|(profile, url)| format!("{url} ({profile})"));
        let mut shown = shown.collect::<Vec<_>>().join(", ");
        if near.len() > MOST {
            shown.push_str(&format!(" and {} more", near.len() - MOST));
        }
        let says = match nearest {
            MatchDistance::User => "covers it, for another user name than the client's",
            MatchDistance::Profile => "covers it, and is not of the profile that is named",
            MatchDistance::NoPath => {
                "has a path, which an address without a path does not match (git names a path with credential.useHttpPath = true)"
            }
            MatchDistance::Path => "is for its own path and what is below it",
            MatchDistance::Port => {
                "is for another port or scheme of this host, which is another address"
            }
            MatchDistance::Name => {
                "is for another name, and a name above or below it is another address"
            }
        };
        format!("{shown} {says}")
    }

    /// Returns how closely an entry matches the address; `None` if it has another host.
    fn near(&self, host: &HostListing) -> Option<MatchDistance> {
        let (address, url) = (&self.query.address, &host.entry.url);
        let is_named = self.is_named(&host.profile);
        if url.covers(address) {
            return Some(if is_named {
                MatchDistance::User
            } else {
                MatchDistance::Profile
            });
        }
        if !is_named {
            return None;
        }
        let [name, other] = [address, url].map(|address| name(address.origin()));
        let is_below = |name: &str, other: &str| {
            let above = name.strip_suffix(other);
            above.is_some_and(|above| above.ends_with('.'))
        };
        match () {
            () if url.origin() == address.origin() && address.path().is_empty() => {
                Some(MatchDistance::NoPath)
            }
            () if url.origin() == address.origin() => Some(MatchDistance::Path),
            () if name == other => Some(MatchDistance::Port),
            () if is_below(name, other) || is_below(other, name) => Some(MatchDistance::Name),
            () => None,
        }
    }

    fn is_named(&self, profile: &ProfileName) -> bool {
        self.query
            .profile
            .as_ref()
            .is_none_or(|name| name == profile)
    }

    fn nothing_near(&self, hosts: &[HostListing]) -> String {
        let origin = self.query.address.origin();
        let (whose, name) = match &self.query.profile {
            Some(name) => (format!("no entry of {name}"), name.as_str()),
            None => ("no entry".to_owned(), "NAME"),
        };
        let is_for = match hosts.iter().any(|host| self.is_named(&host.profile)) {
            true => "is for this host",
            false => "is there",
        };
        format!(
            "{whose} {is_for}; [[profiles.{name}.hosts]] with url = \"{origin}\" in the configuration, and 'jeton reload', make one"
        )
    }
}

/// Returns the host of an origin, without its port.
fn name(origin: &str) -> &str {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    match host.rsplit_once(':') {
        // The colons of an IPv6 address are inside brackets.
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HostAuth, HostEntry};
    use crate::dialect::parse;
    use crate::dialect::testing::*;
    use crate::wire::frame::Instruction;

    fn listing(
        profile: &str,
        url: &str,
        username: Option<&str>,
        auth: Option<HostAuth>,
    ) -> HostListing {
        HostListing {
            profile: ProfileName::parse(profile).unwrap(),
            entry: HostEntry {
                url: Address::parse(url).unwrap(),
                username: username.map(str::to_owned),
                auth,
            },
        }
    }

    fn hosts() -> Vec<HostListing> {
        vec![
            listing(
                "research",
                "https://git.example/team",
                Some("oauth2"),
                Some(HostAuth::Basic),
            ),
            listing("ci", "https://git.example", None, None),
            listing("ci", "https://reg.example:5000", None, None),
            listing("lab", "https://lab.example/a", None, None),
            listing("lab", "https://lab.example/b", None, None),
        ]
    }

    fn print(args: &[&str], found: Option<usize>, hosts: Vec<HostListing>) -> Reply {
        let Question::Explain(_, print) = asked(&run(args)) else {
            panic!("{args:?}")
        };
        let found = found.map(|at| hosts[at].clone());
        print.print(&ExplainAnswer { found, hosts }, around())
    }

    #[test]
    fn explain_names_the_profile_the_entry_and_the_matched_parts() {
        let address = "https://Git.Example/team/app.git?x";
        let matched = "https://git.example exactly, and the path is below /team; the longest of 2 entries that cover it";
        let says = format!(
            "profile   research\naddress   https://git.example/team/app.git\nentry     https://git.example/team\n\
             matched   {matched}\nusername  oauth2\nauth      basic\n"
        );
        assert_eq!(
            print(&["explain", address], Some(0), hosts()),
            reply(&says, "", 0)
        );
        let says = "profile   ci\naddress   https://reg.example:5000\nentry     https://reg.example:5000\n\
                    matched   https://reg.example:5000 exactly, and for every path\n\
                    username  the client's own, else oauth2\nauth      what the server offers\n";
        assert_eq!(
            print(&["explain", "reg.example:5000"], Some(2), hosts()),
            reply(says, "", 0)
        );
    }

    #[test]
    fn explain_json_has_the_profile_or_the_reason() {
        let json = |args: &[&str], found: Option<usize>| {
            let reply = print(&[&["explain", "--json"], args].concat(), found, hosts());
            let json: serde_json::Value = serde_json::from_slice(&reply.stdout).unwrap();
            (json, reply.stderr, reply.exit)
        };
        assert_eq!(
            json(&["git.example/team/app"], Some(0)),
            (
                serde_json::json!({
                    "address": "https://git.example/team/app", "profile": "research",
                    "entry": "https://git.example/team", "username": "oauth2", "auth": "basic", "reason": null
                }),
                String::new(),
                0
            )
        );
        let (none, line, exit) = json(&["reg.example"], None);
        assert_eq!(
            (&none["profile"], &none["entry"]),
            (&serde_json::Value::Null, &serde_json::Value::Null)
        );
        let reason = none["reason"].as_str().unwrap();
        assert!(reason.contains("is for another port"), "{reason}");
        assert_eq!(
            (line, exit),
            (
                format!("jeton: https://reg.example gets no token: {reason}\n"),
                78
            )
        );
    }

    #[test]
    fn an_unmatched_address_names_the_nearest_entry_in_one_line() {
        for (args, says) in [
            (
                &["lab.example/c"][..],
                "https://lab.example/c gets no token: https://lab.example/a (lab), https://lab.example/b (lab) is for its own path",
            ),
            (
                &["lab.example/ab"],
                "is for its own path and what is below it",
            ),
            (
                &["lab.example"],
                "has a path, which an address without a path does not match",
            ),
            (
                &["git.example:8443"],
                "https://git.example (ci) is for another port",
            ),
            (
                &["reg.example"],
                "https://reg.example:5000 (ci) is for another port",
            ),
            (
                &["sub.git.example"],
                "https://git.example (ci) is for another name",
            ),
            (&["example"], "is for another name"),
            (
                &["xgit.example"],
                "no entry is for this host; [[profiles.NAME.hosts]] with url = \"https://xgit.example\"",
            ),
            (
                &["git.example/team", "ci", "--username", "me"],
                "https://git.example (ci) covers it, for another user name",
            ),
            (
                &["git.example/x", "research"],
                "https://git.example (ci) covers it, and is not of the profile",
            ),
            (
                &["git.example/x", "absent"],
                "covers it, and is not of the profile",
            ),
            (
                &["reg.example", "lab"],
                "no entry of lab is for this host; [[profiles.lab.hosts]]",
            ),
            (
                &["reg.example", "bare"],
                "no entry of bare is there; [[profiles.bare.hosts]]",
            ),
            (&["http://127.0.0.1:80"], "no entry is for this host"),
        ] {
            let reply = print(&[&["explain"], args].concat(), None, hosts());
            assert_eq!((reply.exit, reply.stdout.len()), (78, 0), "{args:?}");
            assert!(reply.stderr.contains(says), "{args:?}: {}", reply.stderr);
            assert_eq!(reply.stderr.lines().count(), 1);
        }
        let reply = print(&["explain", "https://git.example"], None, vec![]);
        assert!(
            reply.stderr.contains("no entry is there; "),
            "{}",
            reply.stderr
        );
        let many = (0..5).map(|n| listing("lab", &format!("https://lab.example/{n}"), None, None));
        let reply = print(&["explain", "https://lab.example/x"], None, many.collect());
        assert!(
            reply
                .stderr
                .contains("https://lab.example/2 (lab) and 2 more is for"),
            "{}",
            reply.stderr
        );
    }

    #[test]
    fn a_refused_address_is_not_echoed() {
        for (address, why) in [
            ("https://git.example\nhost=evil", "shows nothing"),
            ("https://evil\u{1b}[2J", "shows nothing"),
            ("https://me:secret@git.example", "names a user"),
            ("https://git.example/../evil", "more than one way"),
            ("http://evil.example", "only https is possible"),
            ("file:///evil", "only https is possible"),
            ("exec:evil", "the port is not a number"),
        ] {
            let parsed = parse(&run(&["explain", address]));
            let NextStep::Answer(Instruction::Done(reply)) = parsed else {
                panic!("{address:?} is refused")
            };
            assert_eq!((reply.exit, reply.stdout.len()), (64, 0), "{address:?}");
            assert!(reply.stderr.contains(why), "{address:?}: {}", reply.stderr);
            for part in ["evil", "secret", "\u{1b}"] {
                assert!(!reply.stderr.contains(part), "{}", reply.stderr);
            }
            assert_eq!(reply.stderr.lines().count(), 1);
        }
        let NextStep::Answer(Instruction::Done(reply)) = parse(&run(&["explain"])) else {
            panic!("it is refused")
        };
        assert!(
            reply
                .stderr
                .contains("an address is missing; usage: jeton explain ADDRESS")
        );
    }
}
