//! Secrets in the environment: none is sent, neither under a name that resembles an allowed one nor in a repeated
//! request.

use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;

use super::daemon::{ConnectionStep, ScriptedDaemon, ok};
use super::run::{feed, jeton_at, program};

/// Contained in every value that must not be sent.
const CANARY: &str = "CANARY-5ecre7";

/// Variables that hold secrets, or may: those of cargo, clouds, forges, registries and agents, and names that resemble
/// allowed ones.
const SECRETS: [&str; 43] = [
    "CARGO_REGISTRY_TOKEN",
    "CARGO_REGISTRIES_ACME_TOKEN",
    "CARGO_REGISTRIES_CRATES_IO_TOKEN",
    "CARGO_REGISTRY_INDEX_URL_TOKEN",
    "CARGO_REGISTRY_NAME_OPT_TOKEN",
    "CARGO_REGISTRY_CREDENTIAL_PROVIDER",
    "CARGO_HTTP_PROXY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_CLIENT_SECRET",
    "IDENTITY_HEADER",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_EXTERNAL_ACCOUNT",
    "GOOGLE_OAUTH_ACCESS_TOKEN",
    "GOOGLE_API_KEY",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "CI_JOB_TOKEN",
    "GIT_PASSWORD",
    "NPM_TOKEN",
    "NODE_AUTH_TOKEN",
    "UV_PUBLISH_TOKEN",
    "DOCKER_AUTH_CONFIG",
    "KUBERNETES_EXEC_INFO_TOKEN",
    "KUBERNETES_TOKEN",
    "TF_TOKEN_app_terraform_io",
    "VAULT_TOKEN",
    "HF_TOKEN",
    "WANDB_API_KEY",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_MCP_SERVER_TOKEN",
    "CLAUDE_CODE_MCP_SERVER_NAME_TOKEN",
    "CLAUDE_CODE_MCP_SERVER_URL2",
    "JETON_PROFILE_SECRET",
    "JETON_TOKEN",
    "RUNAI_TOKEN",
];

fn with_canaries(mut command: Command) -> Command {
    command.envs(SECRETS.map(|name| (name, CANARY)));
    command
}

#[test]
fn no_secret_of_the_environment_is_sent() {
    let done = || ConnectionStep::Answer(ok(&[(1, b"T0KEN\n"), (3, &[0])]));
    let folder = TempDir::new().unwrap();
    let alias = folder.path().join("cargo-credential-jeton");
    symlink(env!("CARGO_BIN_EXE_jeton"), &alias).unwrap();
    let calls: [(&[&str], Option<&std::path::Path>); 6] = [
        (&["token", "p"], None),
        (&["watch"], None),
        (&["exec", "--env", "T", "--", "/bin/true"], None),
        (&["lock"], None),
        (&["get", "--cargo-plugin"], Some(&alias)),
        (&["status", "--json"], None),
    ];
    for (args, name) in calls {
        // With all repeats: for standard input, then for the admin socket.
        let place = TempDir::new().unwrap();
        let tokens = ScriptedDaemon::at(
            &place.path().join("jeton/jeton.sock"),
            vec![
                ConnectionStep::Answer(ok(&[(4, &[0])])),
                ConnectionStep::Answer(ok(&[(5, b"")])),
                ConnectionStep::Close,
            ],
        );
        let admin = ScriptedDaemon::at(&place.path().join("jeton-admin/admin.sock"), vec![done()]);
        let mut command = match name {
            None => with_canaries(jeton_at(&tokens.socket, args)),
            Some(alias) => {
                let mut command = with_canaries(program(alias));
                command.args(args).env("JETON_SOCKET", &tokens.socket);
                command
            }
        };
        command.env("TERM", "dumb");
        let output = feed(&mut command, b"input");
        assert_eq!(output.status.code(), Some(0), "{args:?} {output:?}");
        let asked = [tokens.asked(), admin.asked()].concat();
        assert_eq!(asked.len(), 3, "{args:?}");
        for one in asked {
            assert_eq!(one.all(2), [b"TERM=dumb"], "{args:?}");
            let bytes = [one.head.as_bytes(), &one.frame].concat();
            let found = bytes
                .windows(CANARY.len())
                .any(|window| window == CANARY.as_bytes());
            assert!(!found, "{args:?} sends a secret");
        }
    }
}
