//! Reads the files that a profile's token is written to.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::super::Provider;
use super::super::hosts::HostEntry;
use super::super::named::{Name, ResolvedName};
use super::super::sinks::{Account, Sink, Sinks};
use super::access::Group;
use super::key::{Key, key, set};
use super::{Field, Reader};
use crate::file_format::{Format, Template};

mod formats;

use formats::{file, netrc, runai_cli};

/// A sink while it is read.
#[derive(Default)]
pub(super) struct SinkDraft {
    path: Option<PathBuf>,
    format: Option<&'static str>,
    mode: Option<u16>,
    owner: Option<Account>,
    group: Option<Account>,
    replace: bool,
    keep_expired: bool,
    cluster: Option<String>,
    variable: Option<String>,
    template: Option<Template>,
}

/// A sink as read, before the rest of its profile is known.
pub(in crate::config) struct UnfinishedSink {
    at: usize,
    key: String,
    draft: SinkDraft,
}

#[rustfmt::skip]
pub(super) const SINK: &[Key<SinkDraft>] = &[
    key("path", "a path", "", "the file; a relative one is below the folder of the token socket", |r, f, d| {
        d.path = r.text(f).and_then(|text| path(r, f, text));
    }),
    key("format", "\"raw\", \"jwt\", \"header\", \"json\", \"dotenv\", \"netrc\", \"runai-cli\", \"anthropic\" or \"template\"", "", "what the file looks like", |r, f, d| {
        d.format = r.one_of(f, &Format::NAMES.map(|name| (name, name)), &[]);
    }),
    key("mode", "an octal number in a string, as \"0640\"", "\"0600\"", "who can read the file: others never get more than that", |r, f, d| {
        d.mode = r.text(f).and_then(|text| mode(r, f, text));
    }),
    key("owner", "a user's name or number", "the daemon's user", "the owner of the file; only a daemon of root can set it", |r, f, d| {
        d.owner = r.owner(f);
    }),
    key("group", "a group's name or number", "what the folder gives", "the group of the file, one of the daemon's own", |r, f, d| {
        d.group = r.group(f).map(|group| match group {
            Group::Number(number) => Account::Number(number),
            Group::Name(named) => Account::Name(named),
        });
    }),
    key("replace", "true or false", "false", "replace a file that is not Jeton's, except in a folder such as /tmp", |r, f, d| {
        set(&mut d.replace, r.flag(f));
    }),
    key("on-expiry", "\"remove\" or \"keep\"", "\"remove\"", "what happens to the file when its token expires before there is another", |r, f, d| {
        set(&mut d.keep_expired, r.one_of(f, &[("remove", false), ("keep", true)], &[]));
    }),
    key("cluster", "a UUID", "format is not \"runai-cli\"", "the cluster that Run:ai's command line asks", |r, f, d| {
        d.cluster = r.text(f).and_then(|text| cluster(r, f, text));
    }),
    key("variable", "a name", "\"JETON_TOKEN\"", "the variable, with format = \"dotenv\"", |r, f, d| {
        d.variable = r.text(f).and_then(|text| variable(r, f, text));
    }),
    key("template", "a text with {{token}}, {{token|json}}, {{token|shell}}, {{expires_at}}", "format is not \"template\"", "the whole text of the file", |r, f, d| {
        let text = r.text(f);
        d.template = text.and_then(|text| Template::parse(text).map_err(|why| r.fault(f, why.to_string(), None)).ok());
    }),
];

/// The keys that only one format has, with that format, and whether the format requires the key.
const KEYS_OF_ONE: [(&str, &str, bool); 3] = [
    ("cluster", "runai-cli", true),
    ("variable", "dotenv", false),
    ("template", "template", true),
];

/// The longest path, in bytes: Linux's limit, less the room for a temporary name.
const LONGEST: usize = 4_000;

impl Reader<'_> {
    /// Reads the sinks of an array of tables, in either TOML form. [`Reader::finish_sinks`] completes them.
    pub(in crate::config) fn sinks(&mut self, field: &Field<'_>) -> Vec<UnfinishedSink> {
        let mut sinks = vec![];
        for (at, table) in self.tables(field) {
            let mut draft = SinkDraft::default();
            self.keys(&field.path, table, SINK, &mut draft);
            let key = field.path.clone();
            for (name, about) in [("path", "the file"), ("format", "what it looks like")] {
                if !table.contains_key(name) {
                    self.fault_at(at, &key, format!("{name} is missing: {about}"), None);
                }
            }
            for (name, format, is_required) in KEYS_OF_ONE {
                let is_one = draft.format == Some(format);
                let message = match table.contains_key(name) {
                    true if draft.format.is_some() && !is_one => {
                        format!("{name} is a key of format = \"{format}\"")
                    }
                    false if is_one && is_required => {
                        format!("{name} is missing: format = \"{format}\" needs it")
                    }
                    _ => continue,
                };
                self.fault_at(at, &key, message, None);
            }
            sinks.push(UnfinishedSink { at, key, draft });
        }
        sinks
    }

    /// Completes the sinks of a profile, once its provider and hosts are known.
    pub(super) fn finish_sinks(
        &mut self,
        drafted: Vec<UnfinishedSink>,
        provider: &Provider,
        hosts: &[HostEntry],
    ) -> Vec<(usize, Sink)> {
        let mut sinks = vec![];
        for UnfinishedSink { at, key, draft } in drafted {
            let (Some(path), Some(name)) = (draft.path, draft.format) else {
                continue;
            };
            let format = match name {
                "raw" => Some(Ok(Format::Raw)),
                "jwt" => Some(Ok(Format::Jwt)),
                "header" => Some(Ok(Format::Header)),
                "json" => Some(Ok(Format::Json)),
                "dotenv" => Some(Ok(Format::Dotenv {
                    variable: draft.variable.unwrap_or_else(|| "JETON_TOKEN".to_owned()),
                })),
                "netrc" => Some(netrc(hosts)),
                "runai-cli" => draft.cluster.map(|cluster| runai_cli(provider, cluster)),
                "anthropic" => Some(Ok(Format::Anthropic)),
                _ => draft
                    .template
                    .map(|template| Ok(Format::Template(template))),
            };
            let made = match format {
                Some(Ok(format)) => file(&format, path).map(|path| (format, path)),
                Some(Err(why)) => Err(why),
                // The fault has been reported already.
                None => continue,
            };
            let demanded = made.and_then(|made| match (name, draft.mode) {
                ("anthropic", Some(mode)) if mode != 0o600 => Err(
                    "with format = \"anthropic\" the mode is \"0600\": the SDK refuses any other",
                ),
                _ => Ok(made),
            });
            match demanded {
                Ok((format, path)) => sinks.push((
                    at,
                    Sink {
                        path,
                        format,
                        mode: draft.mode.unwrap_or(0o600),
                        owner: draft.owner,
                        group: draft.group,
                        replace: draft.replace,
                        keep_expired: draft.keep_expired,
                    },
                )),
                Err(why) => self.fault_at(at, &key, why, None),
            }
        }
        sinks
    }

    /// Reports each path that two sinks share, and returns the other sinks.
    pub(in crate::config) fn distinct_sinks(
        &mut self,
        field: &Field<'_>,
        sinks: Vec<(usize, Sink)>,
        others: &Sinks,
    ) -> Vec<Sink> {
        let files = |sink: &Sink| sink.files(Path::new(""));
        let mut taken: BTreeSet<_> = others.values().flatten().flat_map(files).collect();
        let mut distinct = vec![];
        for (at, sink) in sinks {
            if let Some(twice) = files(&sink).into_iter().find(|file| taken.contains(file)) {
                let message = format!(
                    "two sinks write {}: give each a file of its own",
                    twice.display().to_string().escape_debug()
                );
                self.fault_at(at, &format!("{}.sinks", field.path), message, None);
            }
            taken.extend(files(&sink));
            distinct.push(sink);
        }
        distinct
    }

    /// Reads a user by name or number.
    fn owner(&mut self, field: &Field<'_>) -> Option<Account> {
        if field.item.is_integer() {
            return self.ids(field)?.only().map(Account::Number);
        }
        let name = Name::User(self.account(field)?);
        let named: ResolvedName = self.look_up(field, name);
        Some(Account::Name(named))
    }
}

/// Reads a path of plain names. `..` is refused, since programs resolve it differently after a symbolic link.
fn path(reader: &mut Reader<'_>, field: &Field<'_>, text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    let is_plain = |part| matches!(part, Component::Normal(_) | Component::RootDir);
    let message = if text.is_empty() || text.ends_with('/') || path.file_name().is_none() {
        "this must be the path of a file"
    } else if text.starts_with('~') || text.contains('$') {
        "this must be a whole path: ~ and variables are not expanded"
    } else if !path.components().all(is_plain) || text.split('/').any(|name| name == ".") {
        "this must have no . and no .. in it"
    } else if text.chars().any(char::is_control) || text.len() > LONGEST {
        "this must be a path of at most 4000 bytes, without a control character"
    } else {
        // `a//b` and `a/b` are the same file, and must have the same record.
        return Some(path.components().collect());
    };
    reader.fault(field, message, None);
    None
}

/// Reads an octal mode: the owner reads and may write, others at most read, and no user may execute.
fn mode(reader: &mut Reader<'_>, field: &Field<'_>, text: &str) -> Option<u16> {
    let is_octal =
        (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let mode = u16::from_str_radix(text, 8).ok().filter(|_| is_octal);
    let mode = mode.filter(|mode| mode & !0o644 == 0 && mode & 0o400 != 0);
    if mode.is_none() {
        let message =
            "this must be a mode with no more rights than \"0644\", as \"0600\" or \"0640\"";
        reader.fault(field, message, None);
    }
    mode
}

fn cluster(reader: &mut Reader<'_>, field: &Field<'_>, text: &str) -> Option<String> {
    let is_hex = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let lengths = text.split('-').map(str::len);
    if lengths.eq([8, 4, 4, 4, 12]) && text.split('-').all(is_hex) {
        return Some(text.to_owned());
    }
    let message =
        "this must be the UUID of a cluster, as the control plane's page of clusters shows it";
    reader.fault(field, message, None);
    None
}

fn variable(reader: &mut Reader<'_>, field: &Field<'_>, text: &str) -> Option<String> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let begins_well = text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if begins_well && text.bytes().all(is_name) {
        return Some(text.to_owned());
    }
    let message = "this must be the name of a variable: letters, digits and _";
    reader.fault(field, message, None);
    None
}

#[cfg(test)]
mod tests;
