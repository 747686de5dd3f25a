//! Matching of addresses to sections of git's configuration (gitcredentials(7), "CREDENTIAL CONTEXTS").

use crate::address::Address;

/// Whether git applies the settings of `[credential "CONTEXT"]` to an address. A user in the context matches any user:
/// our addresses have no user.
pub(super) fn is_for(context: &str, address: &Address) -> bool {
    let whole = address.to_string();
    let (scheme, _) = whole.split_once("://").unwrap_or(("", &whole));
    let rest = match context.split_once("://") {
        Some((own, rest)) if own.eq_ignore_ascii_case(scheme) => rest,
        Some(_) => return false,
        None => context,
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    is_host(host, &address.host(), scheme) && is_above(path, address.path())
}

/// The address below this one to which git applies the settings of `[credential "CONTEXT"]`, if it does not apply them
/// to this one.
pub(super) fn below(context: &str, address: &Address) -> Option<Address> {
    let (_, rest) = context.split_once("://").unwrap_or(("", context));
    let (_, path) = rest.split_at(rest.find('/')?);
    let below = Address::parse(&format!("{}{path}", address.origin())).ok()?;
    let is_below = address.covers(&below) && *address != below;
    (is_below && is_for(context, &below)).then_some(below)
}

/// Whether a pattern matches a host. A `*` stands for one part of the name.
fn is_host(pattern: &str, host: &str, scheme: &str) -> bool {
    let default = match scheme {
        "https" => ":443",
        _ => ":80",
    };
    let pattern = pattern.to_ascii_lowercase();
    let pattern = pattern.strip_suffix(default).unwrap_or(&pattern);
    if pattern.is_empty() {
        return true;
    }
    let (parts, of_host) = (pattern.split('.'), host.split('.'));
    pattern.split('.').count() == host.split('.').count()
        && parts
            .zip(of_host)
            .all(|(part, own)| part == "*" || part == own)
}

fn is_above(above: &str, path: &str) -> bool {
    let above = above.trim_end_matches('/');
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_matches_its_host_and_paths_below_its_own() {
        let address = Address::parse("https://git.example/team").unwrap();
        for (context, want) in [
            ("https://git.example", true),
            ("https://git.example/", true),
            ("HTTPS://Git.Example:443", true),
            ("https://git.example/team", true),
            ("https://git.example/team/", true),
            ("https://alice@git.example", true),
            ("https://*.example", true),
            ("https://", true),
            ("git.example", true),
            ("https://git.example/teams", false),
            ("https://git.example/team/x", false),
            ("https://git.example:8443", false),
            ("http://git.example", false),
            ("https://*.git.example", false),
            ("https://example", false),
            ("other.example", false),
        ] {
            assert_eq!(is_for(context, &address), want, "{context}");
        }
        for (context, want) in [
            (
                "https://git.example/team/x",
                Some("https://git.example/team/x"),
            ),
            (
                "https://me@*.example/team/x/",
                Some("https://git.example/team/x"),
            ),
            ("https://git.example/team", None),
            ("https://git.example/teams", None),
            ("https://git.example", None),
            ("https://other.example/team/x", None),
            ("http://git.example/team/x", None),
        ] {
            let below = below(context, &address).map(|below| below.to_string());
            assert_eq!(below.as_deref(), want, "{context}");
        }
        let local = Address::parse("http://127.0.0.1:8080").unwrap();
        assert!(is_for("http://127.0.0.1:8080", &local));
        assert!(!is_for("http://127.0.0.1", &local));
    }
}
