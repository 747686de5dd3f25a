//! Access rules: a bearer's roles and their scopes (`GET /api/v1/authorization/me/access-rules`).

use serde::Deserialize;

/// The path, below the control plane's address. Lines before 2.21 do not have it.
pub(super) const PATH: &str = "/api/v1/authorization/me/access-rules";

/// The access rules of a token's bearer. The server's texts may have any character.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rules {
    /// The rules, in the server's order.
    pub rules: Vec<Rule>,
    /// The total number by the server's count, if it is sent.
    pub total: Option<usize>,
}

/// A role of a subject in a scope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    /// The subject: a user's name, or a client ID.
    pub subject_id: Option<String>,
    /// `user`, `app`, `service-account` or `group`.
    pub subject_type: Option<String>,
    /// The role.
    pub role_name: Option<String>,
    /// The name of the scope that limits the role.
    pub scope_name: Option<String>,
    /// The ID of the scope.
    pub scope_id: Option<String>,
    /// The type of the scope: `tenant`, `cluster`, `department` or `project`.
    pub scope_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outer {
    access_rules: Inner,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner {
    #[serde(default)]
    total_records: Option<usize>,
    access_rules: Vec<Rule>,
}

/// Parses the rules in an answer; `None` if it has another form.
pub(super) fn parse(body: &[u8]) -> Option<Rules> {
    let outer: Outer = serde_json::from_slice(body).ok()?;
    Some(Rules {
        rules: outer.access_rules.access_rules,
        total: outer.access_rules.total_records,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_rules_are_parsed_and_other_responses_are_rejected() {
        let body = br#"{"accessRules":{"totalRecords":2,"displayRecords":1,"accessRules":[
            {"id":3,"subjectId":"a@b","subjectType":"user","roleId":1,"roleName":"L1 researcher","scopeId":"x",
             "scopeName":"team","scopeType":"project","clusterId":null,"tenantId":9}]}}"#;
        let rules = parse(body).unwrap();
        assert_eq!((rules.rules.len(), rules.total), (1, Some(2)));
        assert_eq!(rules.rules[0].role_name.as_deref(), Some("L1 researcher"));
        assert_eq!(rules.rules[0].scope_name.as_deref(), Some("team"));
        assert_eq!(
            parse(br#"{"accessRules":{"accessRules":[]}}"#),
            Some(Rules::default())
        );
        for bad in ["", "null", "[]", "{}", "<html>", r#"{"accessRules":[]}"#] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
