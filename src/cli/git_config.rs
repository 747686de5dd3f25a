//! The credential helpers that git would ask for an address, in git's order, with their places.
//!
//! git passes each credential that it gets to every helper. An empty `helper` removes all helpers before it. A helper
//! after ours stays, and may keep the token in a file.

mod context;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use self::lines::KeyLine;
use crate::address::Address;

/// The arguments that make git list its configuration in its order, with the file of each value.
pub(super) const LISTING: [&str; 5] = ["config", "--list", "--show-scope", "--show-origin", "-z"];

/// The arguments that make git print the folder to which the paths of a repository's files are relative.
pub(super) const TOP: [&str; 2] = ["rev-parse", "--show-toplevel"];

/// A credential helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Helper {
    /// Its position among all helpers that git lists.
    nth: usize,
    /// The place of its line.
    pub(super) place: HelperLocation,
    /// Whether it is set by a repository or one call, and so after the files of the system and of the user.
    is_behind_users: bool,
    /// What it is.
    pub(super) kind: Kind,
}

/// The kind of a `helper` in git's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An empty one, which removes all before it.
    Barrier,
    /// The companion.
    Ours,
    /// Another helper. It is not shown: a shell command may contain a password.
    Other,
}

/// The remedy for a helper after ours.
pub(super) const REMEDY: &str = "remove that line";

/// The place where a helper is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HelperLocation {
    /// A file and a line; without the line if the file has changed meanwhile.
    File(PathBuf, Option<usize>),
    /// git's arguments or its environment.
    CommandLine,
}

/// The listing of git's configuration.
#[derive(Debug)]
pub(super) struct Listing {
    /// The output for [`LISTING`].
    pub(super) text: String,
    /// The folder to which the paths of a repository's files are relative: the output for [`TOP`].
    pub(super) top: PathBuf,
}

/// The helpers after ours: those to which git passes the token, and those that remove ours. `None` if ours is not
/// there.
fn behind_ours(helpers: &[Helper]) -> Option<&[Helper]> {
    let at = helpers
        .iter()
        .rposition(|helper| helper.kind == Kind::Ours)?;
    helpers.get(at + 1..)
}

/// The context of a section of credentials (gitcredentials(7)) that sets a helper; empty for all addresses.
fn context_of(key: &str) -> Option<&str> {
    let rest = key.strip_prefix("credential.")?;
    match rest.strip_suffix("helper")? {
        "" => Some(""),
        context => context.strip_suffix('.'),
    }
}

fn is_helper_for(key: &str, address: &Address) -> bool {
    context_of(key).is_some_and(|context| context.is_empty() || context::is_for(context, address))
}

// === impl Listing ===

impl Listing {
    /// The helpers after ours, to which git passes the token, for an address and for the addresses below it that have
    /// sections of their own. `None` if git does not ask ours for the address.
    pub(super) fn behind_ours(&self, address: &Address) -> Option<Vec<Helper>> {
        let mut found = behind_ours(&self.helpers(address))?.to_vec();
        for address in self.below(address) {
            let helpers = self.helpers(&address);
            let behind = behind_ours(&helpers).unwrap_or_default();
            // An empty helper shows that another helper is meant there, which git then asks alone.
            if behind.iter().all(|helper| helper.kind != Kind::Barrier) {
                found.extend(behind.iter().cloned());
            }
        }
        found.sort_by_key(|helper| helper.nth);
        found.dedup_by_key(|helper| helper.nth);
        Some(found)
    }

    /// The helpers that would come after one that is added at the end of the user's file for an address, without ours.
    pub(super) fn behind_the_users_file(&self, address: &Address) -> Vec<Helper> {
        let addresses = std::iter::once(address.clone()).chain(self.below(address));
        let mut found: Vec<_> = addresses
            .flat_map(|address| self.helpers(&address))
            .filter(|helper| helper.is_behind_users && helper.kind != Kind::Ours)
            .collect();
        found.sort_by_key(|helper| helper.nth);
        found.dedup_by_key(|helper| helper.nth);
        found
    }

    /// The addresses below this one that have sections of their own.
    fn below(&self, address: &Address) -> BTreeSet<Address> {
        let entries = self.text.split('\0').skip(2).step_by(3);
        let keys = entries.map(|entry| entry.split_once('\n').map_or(entry, |(key, _)| key));
        let contexts = keys.filter_map(context_of);
        contexts
            .filter_map(|context| context::below(context, address))
            .collect()
    }

    /// The helpers of an address.
    fn helpers(&self, address: &Address) -> Vec<Helper> {
        self.helpers_in(address, |path| {
            let bytes = fs::read(path).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        })
    }

    /// Lists the helpers of an address, with the files that `read` returns.
    fn helpers_in(&self, address: &Address, read: impl Fn(&Path) -> Option<String>) -> Vec<Helper> {
        let mut files: BTreeMap<&str, Vec<KeyLine>> = BTreeMap::new();
        let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut helpers = vec![];
        let mut fields = self.text.split('\0');
        let mut listed = 0;
        while let (Some(scope), Some(origin), Some(entry)) =
            (fields.next(), fields.next(), fields.next())
        {
            listed += 1;
            // A key without a value has no line end after it.
            let Some((key, value)) = entry.split_once('\n') else {
                continue;
            };
            let file = origin.strip_prefix("file:");
            let nth = seen.entry((origin, key)).or_default();
            let at = *nth;
            *nth += 1;
            if !is_helper_for(key, address) {
                continue;
            }
            let place = match file {
                None => HelperLocation::CommandLine,
                Some(file) => {
                    let path = self.top.join(file);
                    let keys = files.entry(origin);
                    let keys = keys.or_insert_with(|| {
                        let text = read(&path).unwrap_or_default();
                        lines::keys(&text)
                    });
                    let of_key: Vec<_> = keys.iter().filter(|at| at.key == key).collect();
                    // A file that is included twice is listed twice.
                    let line = of_key.get(at % of_key.len().max(1)).map(|at| at.line);
                    HelperLocation::File(path, line)
                }
            };
            helpers.push(Helper {
                nth: listed,
                place,
                is_behind_users: !matches!(scope, "system" | "global"),
                kind: Kind::of(value),
            });
        }
        helpers
    }
}

// === impl Helper ===

impl Helper {
    /// Describes the effect of this helper after ours, in one sentence.
    pub(super) fn found(&self) -> String {
        let what = match self.kind {
            Kind::Barrier => "this empty helper comes after the companion, and switches it off",
            Kind::Ours | Kind::Other => {
                "git gives the token to this helper, too, since it comes after the companion"
            }
        };
        format!("{}: {what}", self.place)
    }
}

// === impl Kind ===

impl Kind {
    /// The kind of this value, which is a shell command or the end of a program's name.
    fn of(value: &str) -> Self {
        if value.is_empty() {
            return Self::Barrier;
        }
        let command = value.strip_prefix('!').unwrap_or(value);
        let plain: String = command.chars().filter(|c| !"'\"\\".contains(*c)).collect();
        let is_own_name = plain == "jeton" || plain.starts_with("jeton ");
        let is_started = ["jeton git", "git-credential-jeton"].iter().any(|name| {
            plain.match_indices(name).any(|(at, _)| {
                let (before, rest) = plain.split_at(at);
                let after = rest.get(name.len()..).unwrap_or_default();
                (before.is_empty() || before.ends_with('/'))
                    && (after.is_empty() || after.starts_with(' '))
            })
        });
        if is_own_name || is_started {
            Self::Ours
        } else {
            Self::Other
        }
    }
}

// === impl Place ===

impl fmt::Display for HelperLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::CommandLine => f.write_str("git's arguments or environment"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_starting_the_companion_is_recognized_as_our_helper() {
        for (value, kind) in [
            ("", Kind::Barrier),
            ("jeton", Kind::Ours),
            ("jeton --x", Kind::Ours),
            ("/usr/bin/jeton git", Kind::Ours),
            ("/usr/bin/jeton git research", Kind::Ours),
            ("!'/opt/my tools/jeton' git", Kind::Ours),
            ("/opt/my\\ tools/jeton git", Kind::Ours),
            ("!jeton git", Kind::Ours),
            ("/usr/lib/git-credential-jeton", Kind::Ours),
            ("store", Kind::Other),
            ("/usr/bin/notjeton git", Kind::Other),
            ("/usr/bin/jeton gitx", Kind::Other),
            ("jetonx", Kind::Other),
            ("!f() { echo password=x; }; f", Kind::Other),
        ] {
            assert_eq!(Kind::of(value), kind, "{value}");
        }
    }

    const SYSTEM: (&str, &str) = ("system", "file:/etc/gitconfig");
    const USER: (&str, &str) = ("global", "file:/home/x/.gitconfig");
    const INCLUDED: (&str, &str) = ("global", "file:/home/x/more");
    const LOCAL: (&str, &str) = ("local", "file:.git/config");
    const CALL: (&str, &str) = ("command", "command line:");

    fn listed(entries: &[((&str, &str), &str)]) -> Vec<Helper> {
        let listing: Vec<_> = entries
            .iter()
            .map(|((scope, origin), entry)| format!("{scope}\0{origin}\0{entry}\0"))
            .collect();
        let address = Address::parse("https://git.example/team").unwrap();
        let read = |path: &Path| {
            let text = match path.to_str().unwrap() {
                "/home/x/.gitconfig" => {
                    "[credential]\n\thelper = store\n[include]\n\tpath = more\n[credential \"https://git.example/team\"]\n\thelper =\n\thelper = /usr/bin/jeton git\n[credential]\n helper = cache\n"
                }
                "/home/x/more" => "[credential]\nhelper = x\n",
                "/home/user/r/.git/config" => "[credential]helper=store\n",
                _ => return None,
            };
            Some(text.to_owned())
        };
        let listing = Listing {
            text: listing.concat(),
            top: "/home/user/r".into(),
        };
        listing.helpers_in(&address, read)
    }

    #[test]
    fn helpers_are_listed_in_git_order_with_file_and_line() {
        let ours = "credential.https://git.example/team.helper\n/usr/bin/jeton git";
        let found = listed(&[
            (SYSTEM, "credential.helper\nsystem"),
            (USER, "credential.helper\nstore"),
            (USER, "include.path\nmore"),
            (INCLUDED, "credential.helper\nx"),
            (USER, "credential.https://git.example/team.helper\n"),
            (USER, ours),
            (USER, "credential.helper\ncache"),
            (USER, "credential.https://other.example.helper\nx"),
            (USER, "credential.usehttppath\ntrue"),
            (LOCAL, "core.bare"),
            (LOCAL, "credential.helper\nstore"),
            (CALL, "credential.helper\nx"),
        ]);
        let shown: Vec<_> = found
            .iter()
            .map(|helper| format!("{} {:?}", helper.place, helper.kind))
            .collect();
        assert_eq!(
            shown,
            [
                "/etc/gitconfig Other",
                "/home/x/.gitconfig:2 Other",
                "/home/x/more:2 Other",
                "/home/x/.gitconfig:6 Barrier",
                "/home/x/.gitconfig:7 Ours",
                "/home/x/.gitconfig:9 Other",
                "/home/user/r/.git/config:1 Other",
                "git's arguments or environment Other",
            ]
        );
        assert_eq!(behind_ours(&found), found.get(5..));
        assert_eq!(behind_ours(&found[..4]), None);
    }

    #[test]
    fn helpers_of_longer_paths_are_listed_behind_ours() {
        let section = |context: &str, value: &str| format!("credential.{context}.helper\n{value}");
        let entries = [
            (USER, section("https://git.example/team", "early")),
            (USER, section("https://git.example", "")),
            (USER, section("https://git.example", "/usr/bin/jeton git")),
            (USER, section("https://git.example/team/x", "late")),
            (USER, section("https://git.example/team", "store")),
            (USER, section("https://other.example/team", "store")),
            // Another helper is meant there, and git asks it alone.
            (USER, section("https://git.example/own", "")),
            (USER, section("https://git.example/own", "store")),
            // git asks ours there again, after the helper for all addresses.
            (USER, "credential.helper\ncache".to_owned()),
            (USER, section("https://git.example/more", "")),
            (
                USER,
                section("https://git.example/more", "/usr/bin/jeton git"),
            ),
            (LOCAL, section("https://git.example/team/x", "store")),
        ];
        let text = entries
            .iter()
            .map(|((scope, origin), entry)| format!("{scope}\0{origin}\0{entry}\0"));
        let listing = Listing {
            text: text.collect(),
            top: "/home/user/r".into(),
        };
        let numbers = |helpers: Vec<Helper>| helpers.iter().map(|it| it.nth).collect::<Vec<_>>();
        let address = |text: &str| Address::parse(text).unwrap();
        let behind = |text: &str| listing.behind_ours(&address(text)).map(numbers);
        assert_eq!(behind("https://git.example"), Some(vec![4, 5, 9, 12]));
        assert_eq!(
            behind("https://git.example/team/x"),
            Some(vec![4, 5, 9, 12])
        );
        assert_eq!(behind("https://git.example/more"), Some(vec![]));
        assert_eq!(behind("https://other.example"), None);
        let users = |text: &str| numbers(listing.behind_the_users_file(&address(text)));
        assert_eq!(users("https://git.example"), [12]);
        assert!(users("https://git.example/own").is_empty());
    }

    #[test]
    fn a_file_included_twice_lists_its_helpers_twice() {
        let twice = [(INCLUDED, "credential.helper\nx"); 2];
        let places = listed(&twice).into_iter().map(|helper| helper.place);
        let line = HelperLocation::File("/home/x/more".into(), Some(2));
        assert_eq!(places.collect::<Vec<_>>(), [line.clone(), line]);
    }
}
