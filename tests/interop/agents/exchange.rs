//! Records of agents: the runs of the helper, and the credentials of the requests.

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bound::JETON;
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::scripts::write_script;

/// The record of an agent.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct AgentRecord {
    /// The runs of the helper, sorted by their arguments because their order is random.
    helper: Vec<Run>,
    /// The distinct requests as `METHOD PATH CREDENTIAL`.
    requests: Vec<String>,
}

/// One run of the helper.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
struct Run {
    arguments: Vec<String>,
    /// The variables that say which token is requested. `ORIGIN` stands for the server's origin.
    variables: BTreeMap<String, String>,
}

/// Marks the start of a run in the notes.
const RUN: &str = "run of the helper";

/// Creates a helper that notes its arguments and variables, and then executes the companion.
pub(super) fn helper(env: &TestEnv) -> String {
    let notes = env.path("out/helper");
    let note = format!(
        "{{ printf '%s\\0' '{RUN}' \"$@\"; env -0; }} >>'{}'",
        notes.display()
    );
    let helper = env.path("home/helper");
    write_script(
        &helper,
        &format!("#!/bin/sh\n{note}\nexec '{JETON}' \"$@\"\n"),
    );
    helper.to_str().unwrap().to_owned()
}

impl AgentRecord {
    /// Returns the record of what happened with the helper of [`helper`].
    pub(super) fn from_run(env: &TestEnv, server: &mut Server) -> Self {
        let notes = fs::read_to_string(env.path("out/helper")).unwrap_or_default();
        let mut helper: Vec<Run> = vec![];
        for word in notes.split_terminator('\0') {
            if word == RUN {
                helper.push(Run {
                    arguments: vec![],
                    variables: BTreeMap::new(),
                });
                continue;
            }
            let run = helper.last_mut().unwrap();
            match word.split_once('=') {
                None => run.arguments.push(word.to_owned()),
                Some((name, value)) if name.starts_with("CLAUDE_CODE_MCP_SERVER_") => {
                    let value = value.replace(&server.url(""), "ORIGIN");
                    run.variables.insert(name.to_owned(), value);
                }
                Some(_) => {}
            }
        }
        helper.sort();
        helper.dedup();
        let mut requests = accepted(server);
        requests.sort();
        requests.dedup();
        Self { helper, requests }
    }

    /// Reads the record of an agent.
    pub(super) fn recorded(agent: &str) -> Self {
        serde_json::from_str(&fs::read_to_string(file(agent)).unwrap()).unwrap()
    }

    /// Returns the arguments of each run of the helper.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &[String]> {
        self.helper.iter().map(|run| &*run.arguments)
    }

    /// Writes the record.
    pub(super) fn record(&self, agent: &str) {
        fs::write(
            file(agent),
            serde_json::to_string_pretty(self).unwrap() + "\n",
        )
        .unwrap();
    }

    /// Replays the record: runs the companion as the agent ran its helper, and sends the printed credential as the
    /// agent sent it.
    pub(super) fn replay(&self, env: &TestEnv, server: &mut Server) {
        for run in &self.helper {
            let mut command = env.command(JETON);
            command.args(&run.arguments);
            for (name, value) in &run.variables {
                command.env(name, value.replace("ORIGIN", &server.url("")));
            }
            let output = env.finish("jeton", command, b"", true);
            assert_eq!(output.code, 0, "{run:?}: {output:?}");
            assert_eq!(output.stderr, "", "{run:?}");
            let token = match serde_json::from_str::<Value>(&output.stdout) {
                Ok(headers) => headers["Authorization"]
                    .as_str()
                    .unwrap()
                    .strip_prefix("Bearer ")
                    .unwrap()
                    .to_owned(),
                Err(_) => output.stdout.trim().to_owned(),
            };
            let sent = self.send(env, server, &token);
            assert_eq!(sent, self.requests, "{run:?}");
        }
    }

    fn send(&self, env: &TestEnv, server: &mut Server, token: &str) -> Vec<String> {
        let root = reqwest::Certificate::from_pem(&fs::read(ca(env)).unwrap()).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([root])
            .build()
            .unwrap();
        for request in &self.requests {
            let (method, rest) = request.split_once(' ').unwrap();
            let (path, credentials) = rest.split_once(' ').unwrap();
            let mut request = client
                .request(method.parse().unwrap(), server.url(path))
                .body("{}");
            for credential in credentials.split(" and ") {
                request = match credential {
                    "Bearer 1" => request.bearer_auth(token),
                    "x-api-key 1" => request.header("x-api-key", token),
                    other => panic!("{other}"),
                };
            }
            let _ = env.block_on(request.send()).unwrap();
        }
        accepted(server)
    }
}

/// Returns the requests that the server received. Asserts that it accepted the credential of each.
fn accepted(server: &mut Server) -> Vec<String> {
    let mut requests = server.seen();
    for request in &mut requests {
        let (rest, status) = request.rsplit_once(' ').unwrap();
        assert_ne!(status, "401", "{request}");
        *request = rest.to_owned();
    }
    requests
}

fn file(agent: &str) -> String {
    format!(
        "{}/tests/interop/agents/{agent}.json",
        env!("CARGO_MANIFEST_DIR")
    )
}
