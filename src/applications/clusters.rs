//! The clusters and their versions: user keys work only if every cluster is at 2.20 or later.

use serde::Deserialize;

use super::table::printable;

/// A release line of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The cluster's name, as the server sends it: it may have any character.
    pub name: String,
    /// The cluster's version, as the server sends it; `None` for a cluster that was never connected.
    pub version: Option<String>,
}

/// The server's statement about its clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clusters {
    /// All clusters.
    Known(Vec<Cluster>),
    /// The token's user may not see the clusters, or the server has no such list.
    CannotTell,
}

/// The first release line of clusters with which user keys work.
const FIRST: Version = Version {
    major: 2,
    minor: 20,
};

// === impl Version ===

impl Version {
    /// Parses `2.20`, `v2.20.1` or `2.20.0-rc.1`. Ignores everything behind the second number.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (major, rest) = text.split_once('.')?;
        let end = rest.find(|c: char| !c.is_ascii_digit());
        let minor = rest.get(..end.unwrap_or(rest.len()))?;
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(major) {
            return None;
        }
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

// === impl Clusters ===

impl Clusters {
    /// Returns the clusters that are surely below 2.20. A cluster without a readable version is not among them.
    pub fn too_old(&self) -> Vec<&Cluster> {
        let Self::Known(clusters) = self else {
            return vec![];
        };
        let is_old = |cluster: &&Cluster| {
            let version = cluster.version.as_deref().and_then(Version::parse);
            version.is_some_and(|version| version < FIRST)
        };
        clusters.iter().filter(is_old).collect()
    }

    /// Returns a warning about the clusters for people; `None` if there is no need for one.
    pub fn warning(&self) -> Option<String> {
        if *self == Self::CannotTell {
            return Some(
                "cannot tell whether every cluster is at 2.20 or later, as keys of users need it: the token's user may not see clusters"
                    .to_owned(),
            );
        }
        let old = self.too_old();
        if old.is_empty() {
            return None;
        }
        let names: Vec<_> = old
            .iter()
            .map(|cluster| {
                let version = cluster.version.as_deref().unwrap_or_default();
                format!("{} ({})", printable(&cluster.name), printable(version))
            })
            .collect();
        Some(format!(
            "keys of users need every cluster at 2.20 or later; below it: {}",
            names.join(", ")
        ))
    }
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Bare(Vec<Item>),
    /// The wrapper of the minimal list is not documented.
    Wrapped {
        clusters: Vec<Item>,
    },
}

/// Parses the clusters in an answer; `None` if it is not a list of clusters.
pub(super) fn parse(body: &[u8]) -> Option<Vec<Cluster>> {
    let items = match serde_json::from_slice(body).ok()? {
        Form::Bare(items) | Form::Wrapped { clusters: items } => items,
    };
    let cluster = |item: Item| Cluster {
        name: item.name.unwrap_or_else(|| "(without a name)".to_owned()),
        version: item.version,
    };
    Some(items.into_iter().map(cluster).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (text, is_old) in [
            ("2.9", true),
            ("2.9.99", true),
            ("2.19.30", true),
            ("v2.15.0", true),
            ("1.99", true),
            ("2.20", false),
            ("2.20.0", false),
            ("2.20.0-rc.1", false),
            ("2.100", false),
            ("3.0", false),
            ("V3.0.1+build", false),
            ("10.0.0", false),
        ] {
            let version = Version::parse(text).unwrap();
            assert_eq!(version < FIRST, is_old, "{text}");
        }
        for bad in [
            "",
            "2",
            "2.",
            "2.x",
            "x.20",
            "latest",
            ".20",
            "-2.9",
            "+2.9",
            "99999999999.1",
        ] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_warning_names_old_clusters_and_skips_those_without_a_version() {
        let body = br#"[{"uuid":"u","name":"new","version":"2.24.1"},{"name":"waiting","version":null},
            {"name":"waits too"},{"name":"odd","version":"latest"},{"name":"old\u001b[31m","version":"2.9.4","status":{}}]"#;
        let clusters = Clusters::Known(parse(body).unwrap());
        let old = clusters.too_old();
        assert_eq!(old.len(), 1);
        let warning = clusters.warning().unwrap();
        assert!(
            warning.ends_with(r"below it: old\x1b[31m (2.9.4)"),
            "{warning}"
        );
        assert_eq!(Clusters::Known(vec![]).warning(), None);
        let unknown = Clusters::CannotTell.warning().unwrap();
        assert!(unknown.starts_with("cannot tell"));
    }

    #[test]
    fn both_forms_of_the_cluster_list_are_parsed_and_others_are_rejected() {
        assert_eq!(parse(br#"{"clusters":[{"name":"a"}]}"#).unwrap().len(), 1);
        for bad in ["", "null", "{}", "<html>", r#"{"code":403}"#, "[1]"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
