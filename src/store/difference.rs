//! The differences between an enrolment and the configuration, for programs and for people.

use std::fmt;

use super::{Binding, BoundTarget, Required};
use crate::credential::{Ca, CaVerdict};

/// A part of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingPart {
    /// The kind of provider.
    Provider,
    /// The token endpoint; for Run:ai the address below which its token endpoints are.
    Endpoint,
    /// The endpoint, of which an earlier version recorded only the origin. Whether the whole address is the same is not
    /// known.
    Unrecorded,
    /// The issuer that determines the address.
    Issuer,
    /// The certificates to trust.
    Ca,
    /// The proxy.
    Proxy,
}

/// A part in which an enrolment and the configuration differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The part.
    pub part: BindingPart,
    /// The value at the enrolment.
    enrolled: String,
    /// The value that the configuration has now.
    now: String,
}

/// All the differences, in one clause.
#[derive(Debug)]
pub struct Differences<'a>(pub &'a [Difference]);

impl Binding {
    /// Compares this binding with `now`, the configuration's. Changed certificates do not count if only root can have
    /// changed them.
    pub fn differences(&self, now: &Required) -> Vec<Difference> {
        let mut differences = self.bound.differences(&now.binding.bound);
        let mut add = |part, enrolled, now| {
            differences.push(Difference {
                part,
                enrolled,
                now,
            });
        };
        let or_not_set = |text: &Option<String>| text.clone().unwrap_or_else(|| "not set".into());
        let (issuer, proxy) = (&now.binding.issuer, &now.binding.proxy);
        if self.issuer != *issuer {
            add(
                BindingPart::Issuer,
                or_not_set(&self.issuer),
                or_not_set(issuer),
            );
        }
        if self.certificates(now) == CaVerdict::Changed {
            let ca = describe(&self.ca);
            let mut ca_now = describe(&now.binding.ca);
            if ca == ca_now {
                ca_now = format!("another one of {ca_now}");
            }
            add(BindingPart::Ca, ca, ca_now);
        }
        if self.proxy != *proxy {
            add(
                BindingPart::Proxy,
                or_not_set(&self.proxy),
                or_not_set(proxy),
            );
        }
        differences
    }
}

impl BoundTarget {
    /// Compares this endpoint with the one that the configuration has now.
    pub fn differences(&self, now: &Self) -> Vec<Difference> {
        let mut differences = vec![];
        let mut add = |part, enrolled: &dyn fmt::Display, now: &dyn fmt::Display| {
            differences.push(Difference {
                part,
                enrolled: enrolled.to_string(),
                now: now.to_string(),
            });
        };
        match (self, now) {
            (
                Self::Endpoint { provider, endpoint },
                Self::Endpoint {
                    provider: provider_now,
                    endpoint: endpoint_now,
                },
            ) => {
                if provider != provider_now {
                    add(BindingPart::Provider, provider, provider_now);
                }
                let differ_in_query = self.to_string() == now.to_string();
                if endpoint != endpoint_now && differ_in_query {
                    let now = format!("{now} with another ? part");
                    add(BindingPart::Endpoint, self, &now);
                } else if endpoint != endpoint_now {
                    add(BindingPart::Endpoint, self, now);
                }
            }
            _ if self.origin() != now.origin() => add(BindingPart::Endpoint, self, now),
            _ => add(BindingPart::Unrecorded, self, now),
        }
        differences
    }
}

impl fmt::Display for Binding {
    /// The whole destination, as a clause for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bound {
            BoundTarget::Origin(_) => write!(f, "{}", self.bound)?,
            BoundTarget::Endpoint { provider, .. } => write!(f, "{provider} at {}", self.bound)?,
        }
        if let Some(issuer) = &self.issuer {
            write!(f, ", which the issuer {issuer} names")?;
        }
        write!(f, "; trusted certificates: {}", describe(&self.ca))?;
        let proxy = self.proxy.as_deref().unwrap_or("not set");
        write!(f, "; proxy: {proxy}")
    }
}

/// Certificates, in words that follow "was" or "is".
fn describe(ca: &Ca) -> String {
    match ca {
        Ca::System => "the system's set".to_owned(),
        Ca::Bytes(_) => "the set of a CA file".to_owned(),
        Ca::Set(set) => match set.len() {
            1 => "a CA file's set of 1 certificate".to_owned(),
            n => format!("a CA file's set of {n} certificates"),
        },
    }
}

impl fmt::Display for BindingPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provider => "the provider (provider)",
            Self::Endpoint | Self::Unrecorded => "the address (url, token-url or issuer)",
            Self::Issuer => "the issuer (issuer)",
            Self::Ca => "what to trust (ca-file)",
            Self::Proxy => "the proxy (proxy)",
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            part,
            enrolled,
            now,
        } = self;
        if *part == BindingPart::Unrecorded {
            write!(
                f,
                "an earlier version enrolled it for {enrolled} and recorded no more of the address"
            )?;
            return match enrolled == now {
                true => Ok(()),
                false => write!(f, ", which is {now} now"),
            };
        }
        write!(f, "{part} was {enrolled} at enrolment and is {now} now")
    }
}

impl fmt::Display for Differences<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, difference) in self.0.iter().enumerate() {
            let before = if i == 0 { "" } else { ", and " };
            write!(f, "{before}{difference}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn endpoint(provider: &str, url: &str) -> BoundTarget {
        BoundTarget::Endpoint {
            provider: provider.into(),
            endpoint: Url::parse(url).unwrap(),
        }
    }

    #[test]
    fn a_difference_names_the_part_and_both_values() {
        let victim = endpoint("oauth2", "https://a.b/u/victim");
        for (enrolled, now, says) in [
            (
                victim.clone(),
                endpoint("oauth2", "https://a.b/u/mallory"),
                "the address (url, token-url or issuer) was https://a.b/u/victim at enrolment and is https://a.b/u/mallory now",
            ),
            (
                victim.clone(),
                endpoint("oauth2", "https://a.c/"),
                "the address (url, token-url or issuer) was https://a.b/u/victim at enrolment and is https://a.c now",
            ),
            (
                victim.clone(),
                endpoint("runai", "https://a.b/u/victim"),
                "the provider (provider) was oauth2 at enrolment and is runai now",
            ),
            (
                victim.clone(),
                endpoint("runai", "https://a.b"),
                "the provider (provider) was oauth2 at enrolment and is runai now, and the address (url, token-url or issuer) was https://a.b/u/victim at enrolment and is https://a.b now",
            ),
            (
                endpoint("oauth2", "https://a.b/t?tenant=canary"),
                endpoint("oauth2", "https://a.b/t?tenant=other"),
                "the address (url, token-url or issuer) was https://a.b/t at enrolment and is https://a.b/t with another ? part now",
            ),
            (
                BoundTarget::Origin("https://a.b".into()),
                victim.clone(),
                "an earlier version enrolled it for https://a.b and recorded no more of the address, which is https://a.b/u/victim now",
            ),
            (
                BoundTarget::Origin("https://a.b".into()),
                BoundTarget::Origin("https://a.b".into()),
                "an earlier version enrolled it for https://a.b and recorded no more of the address",
            ),
            (
                BoundTarget::Origin("https://a.c".into()),
                victim.clone(),
                "the address (url, token-url or issuer) was https://a.c at enrolment and is https://a.b/u/victim now",
            ),
            (victim.clone(), victim, ""),
        ] {
            let differences = enrolled.differences(&now);
            assert_eq!(Differences(&differences).to_string(), says);
        }
    }
}
