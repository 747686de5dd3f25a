//! Kubernetes' exec credential plugin (`ExecCredential` of client.authentication.k8s.io, v1 and v1beta1).
//!
//! The client passes its request in `KUBERNETES_EXEC_INFO`, and keeps the token until the expiry or a 401. The reply
//! has the version that the client requested.

use std::time::Duration;

use serde::Deserialize;

use super::super::args::{Grammar, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::row::verb;
use super::super::token_request::{json_token_between, stale_note};
use super::request::{address_query, profile_name};
use super::{ClientBehaviour, Tool};
use crate::address::Address;
use crate::query::{AddressAnswer, Print, PrintContext, Question};
use crate::wire::frame::Reply;

/// The protocol's row.
pub(super) const TOOL: Tool = Tool {
    verb: verb(&GRAMMAR, parse),
    client: CLIENT,
};

static GRAMMAR: Grammar = Grammar {
    verb: "kube",
    usage: "[PROFILE]",
    does: "an ExecCredential for kubectl and Kubernetes clients",
    options: &[],
    profile: Profile::Argument,
};

/// kubectl asks again at the expiry, Python's client 5 minutes before it. Neither limits its wait for the plugin.
const CLIENT: ClientBehaviour = ClientBehaviour {
    interval: Duration::ZERO,
    window: Duration::from_secs(300),
    timeout: None,
    source: "kubernetes/client-go plugin/pkg/client/auth/exec/exec.go; kubernetes-client/python config/kube_config.py",
};

const VARIABLE: &str = "KUBERNETES_EXEC_INFO";

/// The two versions that clients request.
const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// The detail for a profile that is bound to addresses, when the client names no address.
const LACKS: &str = "the profile is bound to addresses, and the client named no server; set 'provideClusterInfo: true' in \
                     the exec section of the kubeconfig, as 'jetond setup kubectl' does";

/// The members of the client's request that Jeton uses.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecInfo {
    api_version: Option<String>,
    kind: Option<String>,
    spec: Option<Spec>,
}

#[derive(Deserialize)]
struct Spec {
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct Cluster {
    server: Option<String>,
}

struct Kube {
    version: &'static str,
}

/// Parses a call.
fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    let info = info(call)?;
    if info.kind.is_some_and(|kind| kind != "ExecCredential") {
        return Err(GRAMMAR.wrong("KUBERNETES_EXEC_INFO does not contain an ExecCredential"));
    }
    let version = match info.api_version.as_deref() {
        None | Some(V1) => V1,
        Some(V1BETA1) => V1BETA1,
        Some(_) => {
            return Err(GRAMMAR.wrong(
                "the client asks for another version of ExecCredential than client.authentication.k8s.io/v1 and v1beta1; \
                 change apiVersion in the exec section of the kubeconfig",
            ));
        }
    };
    let server = info
        .spec
        .and_then(|spec| spec.cluster)
        .and_then(|it| it.server);
    let address = server.map(|server| Address::parse(&server)).transpose();
    let address = address.map_err(|error| GRAMMAR.wrong(error.0))?;
    let mut profile = args.profile();
    if address.is_none() && profile.is_none() {
        let variable = call.run.env.get("JETON_PROFILE");
        let name = variable.filter(|name| !name.is_empty());
        let name = name.ok_or(GRAMMAR.wrong(
            "neither a profile nor a server is named; set 'provideClusterInfo: true' in the exec section of the \
             kubeconfig, or name the profile in its args",
        ))?;
        profile = Some(profile_name(&GRAMMAR, name)?);
    }
    let mut query = address_query(call, address, profile);
    query.lacks = Some(LACKS);
    query.keeps_until_401 = true;
    Ok(NextStep::Ask(Question::Address(
        query,
        Box::new(Kube { version }),
    )))
}

/// Parses the client's request. Without one, as on a command line, it is the default request.
fn info(call: &Call<'_>) -> Result<ExecInfo, Usage> {
    match call.run.env.get(VARIABLE).map(String::as_str) {
        None | Some("") => Ok(ExecInfo::default()),
        Some(text) => serde_json::from_str(text).map_err(|_| {
            GRAMMAR.wrong("KUBERNETES_EXEC_INFO is not the JSON that a client passes")
        }),
    }
}

impl Print<AddressAnswer> for Kube {
    fn print(&self, answer: &AddressAnswer, around: PrintContext<'_>) -> Reply {
        let before = format!(
            r#"{{"apiVersion":"{}","kind":"ExecCredential","status":{{"expirationTimestamp":"{}","token":""#,
            self.version,
            answer.expires_at.rfc3339(),
        );
        Reply {
            stdout: json_token_between(&before, &answer.token, "\"}}\n"),
            stderr: stale_note(&answer.token, around.now.boot),
            exit: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::dialect::testing::{hard_tokens, run};
    use crate::problem::Code;
    use crate::wire::frame::Invocation;

    /// Creates a run for a client that requests this version and names this cluster.
    fn kube(args: &[&str], version: &str, cluster: &str) -> Invocation {
        let info = format!(
            r#"{{"kind":"ExecCredential","apiVersion":"{version}","spec":{{{cluster}"interactive":false}}}}"#
        );
        run_in(&[&["kube"], args].concat(), VARIABLE, &info)
    }

    const CLUSTER: &str =
        r#""cluster":{"server":"https://K8s.example:6443","certificate-authority-data":"LS0t"},"#;

    #[test]
    fn the_exec_credential_has_the_requested_version_and_the_expiry() {
        for version in [V1, V1BETA1] {
            assert_eq!(
                prints(&kube(&["ci"], version, CLUSTER), "T0KEN", None),
                format!(
                    "{{\"apiVersion\":\"{version}\",\"kind\":\"ExecCredential\",\"status\":\
                     {{\"expirationTimestamp\":\"2027-01-15T08:33:20Z\",\"token\":\"T0KEN\"}}}}\n"
                )
            );
        }
        for token in hard_tokens() {
            let text = prints(&kube(&["ci"], V1, CLUSTER), &token, None);
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["status"]["token"], token.as_str());
        }
        assert!(note(&kube(&["ci"], V1, CLUSTER)).contains("is valid for only"));
    }

    #[test]
    fn the_address_is_the_server_named_by_the_client() {
        assert_eq!(
            address_of(&kube(&[], V1, CLUSTER)),
            "https://k8s.example:6443"
        );
        let rancher = r#""cluster":{"server":"https://rancher.example/k8s/clusters/c-1/"},"#;
        let want = "https://rancher.example/k8s/clusters/c-1";
        assert_eq!(address_of(&kube(&["ci"], V1BETA1, rancher)), want);
        let mut with_variable = kube(&[], V1, CLUSTER);
        with_variable
            .env
            .insert("JETON_PROFILE".into(), "ci".into());
        assert_eq!(asks(&with_variable).0.profile, None, "the server decides");
    }

    #[test]
    fn without_a_server_the_named_profile_is_used_with_its_addresses() {
        for cluster in ["", r#""cluster":null,"#, r#""cluster":{},"#] {
            let (query, _) = asks(&kube(&["ci"], V1, cluster));
            assert_eq!(
                (query.address, query.lacks),
                (None, Some(LACKS)),
                "{cluster}"
            );
            assert_eq!(query.profile.unwrap().as_str(), "ci");
        }
        assert!(LACKS.contains("provideClusterInfo"));
        let by_hand = run_in(&["kube"], "JETON_PROFILE", "ci");
        assert_eq!(asks(&by_hand).0.profile.unwrap().as_str(), "ci");
        for nameless in [
            run(&["kube"]),
            kube(&[], V1, ""),
            run_in(&["kube"], "JETON_PROFILE", ""),
        ] {
            let got = at_once(&nameless);
            assert_eq!((got.exit, got.stdout.len()), (64, 0));
            assert!(got.stderr.contains("provideClusterInfo"), "{}", got.stderr);
        }
        assert_eq!(at_once(&run_in(&["kube"], "JETON_PROFILE", "A B")).exit, 64);
    }

    #[test]
    fn an_invalid_exec_info_is_refused_and_not_echoed() {
        let info = |text: &str| at_once(&run_in(&["kube", "ci"], VARIABLE, text));
        for text in [
            "evil",
            "[]",
            "{\"apiVersion\":1}",
            "{\"apiVersion\":\"client.authentication.k8s.io/v1alpha1\"}",
            "{\"apiVersion\":\"evil/v1\"}",
            "{\"kind\":\"evil\"}",
            "{\"spec\":{\"cluster\":{\"server\":\"\"}}}",
            "{\"spec\":{\"cluster\":{\"server\":[\"https://evil.example\"]}}}",
            "{\"spec\":{\"cluster\":{\"server\":\"https://a.example\",\"server\":\"https://evil.example\"}}}",
        ] {
            let got = info(text);
            assert_eq!((got.exit, got.stdout.len()), (64, 0), "{text}");
            assert_eq!(got.stderr.lines().count(), 1, "{text}");
            assert!(!got.stderr.contains("evil"), "{}", got.stderr);
        }
        for server in NO_ADDRESSES {
            let text = serde_json::json!({"spec": {"cluster": {"server": server}}});
            let got = info(&text.to_string());
            assert_eq!((got.exit, got.stdout.len()), (64, 0), "{server:?}");
            assert_eq!(got.stderr.lines().count(), 1, "{server:?}");
        }
    }

    #[test]
    fn a_failure_prints_the_companions_own_message() {
        for code in [Code::UnknownProfile, Code::Forbidden, Code::Unavailable] {
            assert!(refusal_of(&kube(&["ci"], V1, CLUSTER), code).is_none());
        }
    }
}
