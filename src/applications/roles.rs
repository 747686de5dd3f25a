//! What the bearer of a token may do, to be compared with what another one may.

use std::collections::BTreeSet;

use super::api::Applications;
use super::identity::Part;
use super::rules::{Rule, Rules};

/// The roles of a token's bearer, each with what it is limited to. All of them: where a server shows only some, there
/// is no such value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles(BTreeSet<[Option<String>; 4]>);

// === impl Roles ===

impl Roles {
    /// Whether this bearer may do everything that the other one may.
    pub fn include(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }

    fn of(rules: &Rules) -> Option<Self> {
        let total = rules.total.unwrap_or_default();
        // Who has the role differs between two keys of one user on some lines, so it is not compared.
        let role = |rule: &Rule| {
            let parts = [
                &rule.role_name,
                &rule.scope_type,
                &rule.scope_id,
                &rule.scope_name,
            ];
            parts.map(Clone::clone)
        };
        (total <= rules.rules.len()).then(|| Self(rules.rules.iter().map(role).collect()))
    }
}

impl Applications {
    /// The roles of the token's bearer; `None` if the server does not tell.
    pub async fn roles(&self) -> Option<Roles> {
        match self.rules().await {
            Ok(Some(Part::Known(rules))) => Roles::of(&rules),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str], total: Option<usize>) -> Option<Roles> {
        let rule = |name: &&str| Rule {
            subject_id: Some(format!("subject-{}", names.len())),
            role_name: Some((*name).to_owned()),
            scope_id: Some("x".to_owned()),
            ..Rule::default()
        };
        let rules = names.iter().map(rule).collect();
        Roles::of(&Rules { rules, total })
    }

    #[test]
    fn a_bearer_may_do_less_if_it_lacks_a_role_of_the_other_one() {
        let (one, two) = (
            roles(&["a"], Some(1)).unwrap(),
            roles(&["a", "b"], None).unwrap(),
        );
        assert!(two.include(&one) && one.include(&one) && !one.include(&two));
        assert_eq!(roles(&["a"], Some(2)), None, "the server shows only some");
    }
}
