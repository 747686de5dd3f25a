//! Parses the text form of a setting.

use std::str::FromStr;
use std::time::Duration;

use super::{
    ClusterVersion, Clusters, InvalidSetting, LastLogin, MaxItems, OwnKeys, Role, Setting,
};
use crate::sandbox::moment::MAX_SKEW;

/// The longest delay: a day.
const MAX_DELAY: Duration = Duration::from_secs(86_400);

/// The maximum number of other users' keys.
const MAX_OTHER_KEYS: u16 = 10_000;

/// The maximum number of clusters.
const MAX_CLUSTERS: usize = 100;

impl Setting {
    /// Parses `name:value`.
    ///
    /// # Errors
    /// [`InvalidSetting`] with the reason, which does not quote the text.
    pub fn parse(text: &str) -> Result<Self, InvalidSetting> {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        match name {
            "access-rules" => access_rules(value),
            "own-keys" => OwnKeys::ALL
                .into_iter()
                .find(|own_keys| own_keys.as_str() == value)
                .map(Self::OwnKeys),
            "last-login" => last_login(value).map(Self::LastLogin),
            "deletion-seen" => seconds(value).map(Self::DeletionSeen),
            "max-items" => max_items(value).map(Self::MaxItems),
            "other-keys" => value
                .parse()
                .ok()
                .filter(|count| *count <= MAX_OTHER_KEYS)
                .map(Self::OtherKeys),
            "clusters" => clusters(value).map(Self::Clusters),
            "clock" => skew(value).map(Self::Clock),
            "reissue" => match value {
                "normal" => Some(Self::KillsOld(false)),
                "kills-old" => Some(Self::KillsOld(true)),
                _ => None,
            },
            _ => return Err(InvalidSetting::Unknown),
        }
        .ok_or(InvalidSetting::Value)
    }
}

fn access_rules(value: &str) -> Option<Setting> {
    let (subject, roles) = value.rsplit_once('=')?;
    let role = |name| Role::ALL.into_iter().find(|role| role.as_str() == name);
    let roles = match roles {
        "none" => vec![],
        roles => roles.split(',').map(role).collect::<Option<_>>()?,
    };
    (!subject.is_empty()).then(|| Setting::AccessRules {
        subject: subject.to_owned(),
        roles,
    })
}

fn last_login(value: &str) -> Option<LastLogin> {
    let mut last_login = LastLogin::default();
    match value {
        "told" => return Some(last_login),
        "null" => {
            last_login.is_told = false;
            return Some(last_login);
        }
        _ => {}
    }
    for part in value.split(',') {
        match part.split_once(':') {
            None if part == "day" => last_login.by_day = true,
            Some(("after", value)) => last_login.after = seconds(value)?,
            Some(("skew", value)) => last_login.skew = skew(value)?,
            _ => return None,
        }
    }
    Some(last_login)
}

fn max_items(value: &str) -> Option<MaxItems> {
    let (limit, is_paged) = match value.strip_suffix(",paged") {
        Some(limit) => (limit, true),
        None => (value, false),
    };
    let limit = match limit {
        "none" => None,
        limit => Some(limit.parse().ok().filter(|limit| *limit > 0)?),
    };
    Some(MaxItems { limit, is_paged })
}

fn clusters(value: &str) -> Option<Clusters> {
    let is_version = |word: &str| {
        !word.is_empty()
            && word.len() <= 64
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-+".contains(&b))
    };
    match value {
        "own-line" => return Some(Clusters::OwnLine),
        "none" => return Some(Clusters::Versions(vec![])),
        _ => {}
    }
    if let Ok(status) = value.parse() {
        return (400..600)
            .contains(&status)
            .then_some(Clusters::Status(status));
    }
    let version = |word| match word {
        "null" => Some(ClusterVersion::Null),
        "absent" => Some(ClusterVersion::Absent),
        word => is_version(word).then(|| ClusterVersion::Known(word.to_owned())),
    };
    let versions: Vec<_> = value.split(',').map(version).collect::<Option<_>>()?;
    (versions.len() <= MAX_CLUSTERS).then_some(Clusters::Versions(versions))
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    (seconds <= MAX_DELAY).then_some(seconds)
}

fn skew(text: &str) -> Option<i64> {
    let skew: i64 = text.parse().ok()?;
    (skew.unsigned_abs() <= MAX_SKEW.unsigned_abs()).then_some(skew)
}

impl FromStr for Setting {
    type Err = InvalidSetting;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_setting_parses_and_prints_back_unchanged() {
        let more = [
            "access-rules:*=none",
            "access-rules:a=b=practitioner,administrator",
            "last-login:day",
            "last-login:after:0.5",
            "last-login:skew:600",
            "max-items:none",
            "max-items:none,paged",
        ];
        for example in Setting::HELP
            .iter()
            .map(|(example, _)| *example)
            .chain(more)
        {
            let setting = Setting::parse(example).unwrap();
            assert_eq!(setting.to_string(), example);
        }
    }

    #[test]
    fn an_invalid_setting_is_refused_with_the_reason() {
        for bad in ["", "Clock:1", "nonsense:1", " clock:1"] {
            assert_eq!(Setting::parse(bad), Err(InvalidSetting::Unknown), "{bad:?}");
        }
        #[rustfmt::skip]
        let bad_values = [
            "access-rules", "access-rules:robot", "access-rules:=none", "access-rules:robot=", "access-rules:robot=king",
            "access-rules:robot=none,practitioner", "own-keys", "own-keys:", "own-keys:maybe", "last-login", "last-login:",
            "last-login:day,", "last-login:null,day", "last-login:after:x", "last-login:skew:1.5", "deletion-seen:-1",
            "deletion-seen:86401", "deletion-seen:NaN", "max-items:0", "max-items:", "max-items:paged", "max-items:70000",
            "other-keys:10001", "other-keys:-1", "other-keys:", "clusters", "clusters:", "clusters:200", "clusters:600",
            "reissue", "reissue:", "reissue:never", "clusters:2.20,", "clusters:2.20, 2.9", "clusters:\"", "clock:", "clock:1.5", "clock:9223372036854775807",
        ];
        for bad in bad_values {
            assert_eq!(Setting::parse(bad), Err(InvalidSetting::Value), "{bad:?}");
        }
        let many = format!("clusters:{}2", "2,".repeat(MAX_CLUSTERS));
        assert_eq!(Setting::parse(&many), Err(InvalidSetting::Value));
    }
}
