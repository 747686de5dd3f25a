//! Compares the roles of two tokens' bearers.

use std::collections::BTreeSet;

use super::api::Applications;
use super::identity::Information;
use super::rules::{Rule, Rules};

/// The roles of a token's bearer, each with its scope. It always has all roles; if a server shows only some, no value
/// is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles(BTreeSet<[Option<String>; 4]>);

// === impl Roles ===

impl Roles {
    /// Returns whether this bearer has all roles of the other one.
    pub fn include(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }

    fn of(rules: &Rules) -> Option<Self> {
        let total = rules.total.unwrap_or_default();
        // On some lines, the role's subject differs between two keys of one user, so it is not compared.
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
    /// Returns the roles of the token's bearer; `None` if the server does not show them all.
    pub async fn roles(&self) -> Option<Roles> {
        match self.rules().await {
            Ok(Some(Information::Known(rules))) => Roles::of(&rules),
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
    fn a_bearer_without_a_role_of_another_bearer_does_not_include_its_roles() {
        let (one, two) = (
            roles(&["a"], Some(1)).unwrap(),
            roles(&["a", "b"], None).unwrap(),
        );
        assert!(two.include(&one) && one.include(&one) && !one.include(&two));
        assert_eq!(roles(&["a"], Some(2)), None, "the server shows only some");
    }
}
