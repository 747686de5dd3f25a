//! `jetond setup kubectl`: a user of kubeconfig that runs the companion, bound to the contexts of the cluster.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::target::lines::word;
use super::program::{self, Program};
use super::recipe::{Change, Format, FormerSettings, Lines, Needs, Recipe, Refusal, Subject};
use crate::address::Address;

/// kubectl, and other programs that read kubeconfig: helm, k9s, the clients for Go, Python and Java.
pub(super) static RECIPE: Recipe = Recipe {
    name: "kubectl",
    wants: "reach a cluster with kubectl, helm or a client library",
    needs: Needs::Address,
    lines,
    change: Some(Change {
        look,
        amend: None,
        apply,
        undo,
    }),
};

/// The name of our user in kubeconfig. One user is enough for all clusters, since kubectl passes the cluster to the
/// helper.
const USER: &str = "jeton";

const API: &str = "client.authentication.k8s.io/v1";

/// The used part of the output of `kubectl config view -o json`.
#[derive(Debug, Default, Deserialize)]
struct View {
    clusters: Option<Vec<NamedCluster>>,
    contexts: Option<Vec<NamedContext>>,
    users: Option<Vec<NamedUser>>,
}

#[derive(Debug, Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Debug, Deserialize)]
struct Cluster {
    #[serde(default)]
    server: String,
}

#[derive(Debug, Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Debug, Deserialize)]
struct Context {
    #[serde(default)]
    cluster: String,
    #[serde(default)]
    user: String,
}

#[derive(Debug, Deserialize)]
struct NamedUser {
    name: String,
    user: serde_json::Value,
}

/// The former settings of the contexts.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Bound {
    /// The contexts with the user that each had; empty for no user.
    contexts: Vec<(String, String)>,
    /// Whether our user existed already, for another cluster.
    had_user: bool,
}

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let address = subject.address()?;
    let view = program::find("kubectl", subject.env).and_then(|kubectl| view(&kubectl));
    let contexts = view.map_or(vec![], |view| view.contexts_of(address));
    let mut notes = vec![];
    let bind = if contexts.is_empty() {
        notes.push(format!(
            "kubectl knows no context whose cluster has the server {address}: the last line binds the current context"
        ));
        "kubectl config set-context --current --user=jeton\n".to_owned()
    } else {
        let line = |(name, _): &(String, String)| {
            format!(
                "kubectl config set-context --user={USER} -- {}\n",
                word(name)
            )
        };
        contexts.iter().map(line).collect()
    };
    let credentials: Vec<_> = credentials(subject)?.iter().map(|arg| word(arg)).collect();
    Ok(Lines {
        format: Format::Hash,
        notes,
        text: format!("kubectl {}\n{bind}", credentials.join(" ")),
    })
}

/// The arguments that make our user. `provideClusterInfo` makes kubectl pass the server to the helper: without it,
/// there is no token.
fn credentials(subject: &Subject<'_>) -> Result<[String; 8], Refusal> {
    let jeton = subject.jeton_text()?;
    Ok([
        "config".to_owned(),
        "set-credentials".to_owned(),
        USER.to_owned(),
        format!("--exec-command={jeton}"),
        format!("--exec-api-version={API}"),
        "--exec-arg=kube".to_owned(),
        "--exec-interactive-mode=Never".to_owned(),
        "--exec-provide-cluster-info=true".to_owned(),
    ])
}

fn view(kubectl: &Program) -> Result<View, Refusal> {
    let printed = kubectl.must(&["config", "view", "-o", "json"])?;
    serde_json::from_str(&printed).map_err(|_| {
        Refusal::config("the output of 'kubectl config view -o json' cannot be parsed")
    })
}

fn look(subject: &Subject<'_>) -> Result<FormerSettings, Refusal> {
    let kubectl = program::find("kubectl", subject.env)?;
    let view = view(&kubectl)?;
    let address = subject.address()?;
    let contexts = view.contexts_of(address);
    if contexts.is_empty() {
        return Err(Refusal::config(&format!(
            "kubectl knows no context of a cluster with the server {address}; make them first with 'kubectl config set-cluster NAME --server={address}' and 'kubectl config set-context NAME --cluster=NAME'"
        )));
    }
    let had_user = match view.user() {
        None => false,
        Some(user) if is_ours(user) => true,
        Some(_) => {
            return Err(Refusal::config(&format!(
                "kubeconfig has a user {USER} that does not run the companion: rename it first"
            )));
        }
    };
    let bound = Bound { contexts, had_user };
    Ok(FormerSettings {
        files: files(subject)?,
        more: serde_json::to_value(bound).unwrap_or_default(),
    })
}

fn apply(subject: &Subject<'_>, _: &FormerSettings) -> Result<Vec<String>, Refusal> {
    let kubectl = program::find("kubectl", subject.env)?;
    let view = view(&kubectl)?;
    kubectl.must(&credentials(subject)?)?;
    let mut done = vec![format!(
        "the user {USER} of kubeconfig runs {}",
        subject.jeton_quoted()
    )];
    for (context, user) in view.contexts_of(subject.address()?) {
        if user == USER {
            continue;
        }
        bind(&kubectl, &context, USER)?;
        done.push(format!("the context {context} has the user {USER}"));
    }
    Ok(done)
}

fn undo(subject: &Subject<'_>, before: &FormerSettings) -> Result<Vec<String>, Refusal> {
    let kubectl = program::find("kubectl", subject.env)?;
    let bound: Bound = serde_json::from_value(before.more.clone())
        .map_err(|_| Refusal::config("the saved copy of kubeconfig cannot be read"))?;
    let now = view(&kubectl)?;
    let mut done = vec![];
    for (context, user) in &bound.contexts {
        // A context that has got another user since then, or is gone, stays unchanged.
        if now.user_of(context) == Some(USER) && user != USER {
            bind(&kubectl, context, user)?;
            done.push(match user.as_str() {
                "" => format!("the context {context} has no user, as before"),
                user => format!("the context {context} has the user {user} again"),
            });
        }
    }
    let is_used = view(&kubectl)?.is_used();
    if !bound.had_user && !is_used && now.user().is_some_and(is_ours) {
        kubectl.must(&["config", "delete-user", USER])?;
        done.push(format!("the user {USER} of kubeconfig is removed"));
    }
    Ok(done)
}

fn bind(kubectl: &Program, context: &str, user: &str) -> Result<(), Refusal> {
    let user = format!("--user={user}");
    let args = ["config", "set-context", &user, "--", context];
    kubectl.must(&args).map(drop)
}

/// The files that kubectl reads and changes.
fn files(subject: &Subject<'_>) -> Result<Vec<PathBuf>, Refusal> {
    let listed = subject.env.kubeconfig.as_ref().map(|list| {
        let files = std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty());
        files.collect::<Vec<_>>()
    });
    let files = match listed {
        Some(files) if !files.is_empty() => files,
        _ => vec![subject.in_home(".kube/config")?],
    };
    let absolute = |path: PathBuf| {
        std::path::absolute(&path)
            .map_err(|error| Refusal::config(&format!("{}: {error}", path.display())))
    };
    files.into_iter().map(absolute).collect()
}

/// Whether a user of kubeconfig runs the companion.
fn is_ours(user: &serde_json::Value) -> bool {
    let args = user.pointer("/exec/args");
    let args = args.and_then(serde_json::Value::as_array);
    args.and_then(|args| args.first()) == Some(&"kube".into())
}

// === impl View ===

impl View {
    /// The contexts of the clusters with this server, each with its user.
    fn contexts_of(&self, address: &Address) -> Vec<(String, String)> {
        let clusters = self.clusters.iter().flatten();
        let is_it = |cluster: &&NamedCluster| {
            Address::parse(&cluster.cluster.server).as_ref() == Ok(address)
        };
        let clusters: Vec<_> = clusters
            .filter(is_it)
            .map(|cluster| &cluster.name)
            .collect();
        let contexts = self.contexts.iter().flatten();
        let contexts = contexts.filter(|named| clusters.contains(&&named.context.cluster));
        contexts
            .map(|named| (named.name.clone(), named.context.user.clone()))
            .collect()
    }

    fn user_of(&self, context: &str) -> Option<&str> {
        let mut contexts = self.contexts.iter().flatten();
        let named = contexts.find(|named| named.name == context)?;
        Some(&named.context.user)
    }

    fn user(&self) -> Option<&serde_json::Value> {
        let mut users = self.users.iter().flatten();
        users
            .find(|named| named.name == USER)
            .map(|named| &named.user)
    }

    /// Whether a context has our user.
    fn is_used(&self) -> bool {
        let mut contexts = self.contexts.iter().flatten();
        contexts.any(|named| named.context.user == USER)
    }
}
