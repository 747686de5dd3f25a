//! Writes a setting in the text form that [`Setting::parse`] reads.

use std::fmt;

use super::{ClusterVersion, Clusters, LastLogin, MaxItems, Setting};

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessRules { subject, roles } => {
                let roles = roles.iter().map(|role| role.as_str());
                write!(f, "access-rules:{subject}={}", listed(roles))
            }
            Self::OwnKeys(own_keys) => write!(f, "own-keys:{}", own_keys.as_str()),
            Self::LastLogin(last_login) => write!(f, "last-login:{last_login}"),
            Self::DeletionSeen(delay) => write!(f, "deletion-seen:{}", delay.as_secs_f64()),
            Self::MaxItems(max_items) => write!(f, "max-items:{max_items}"),
            Self::OtherKeys(count) => write!(f, "other-keys:{count}"),
            Self::Clusters(clusters) => write!(f, "clusters:{clusters}"),
            Self::Clock(seconds) => write!(f, "clock:{seconds}"),
            Self::KillsOld(true) => f.write_str("reissue:kills-old"),
            Self::KillsOld(false) => f.write_str("reissue:normal"),
        }
    }
}

impl fmt::Display for LastLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_told {
            return f.write_str("null");
        }
        let mut parts = vec![];
        if self.by_day {
            parts.push("day".to_owned());
        }
        if !self.after.is_zero() {
            parts.push(format!("after:{}", self.after.as_secs_f64()));
        }
        if self.skew != 0 {
            parts.push(format!("skew:{}", self.skew));
        }
        if parts.is_empty() {
            parts.push("told".to_owned());
        }
        f.write_str(&parts.join(","))
    }
}

impl fmt::Display for MaxItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Some(limit) => write!(f, "{limit}")?,
            None => f.write_str("none")?,
        }
        f.write_str(if self.is_paged { ",paged" } else { "" })
    }
}

impl fmt::Display for Clusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnLine => f.write_str("own-line"),
            Self::Versions(versions) => f.write_str(&listed(versions.iter().map(|v| match v {
                ClusterVersion::Known(version) => version.as_str(),
                ClusterVersion::Null => "null",
                ClusterVersion::Absent => "absent",
            }))),
            Self::Status(status) => write!(f, "{status}"),
        }
    }
}

fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(",")
    }
}
