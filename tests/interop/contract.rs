//! The API document against the daemon: a tool generates requests from the document and checks the answers.

use crate::support::TestEnv;
use crate::tools::{MissingProgram, Test, python};

pub(crate) const TESTS: &[(&str, Test)] = &[(
    "every_answer_matches_the_api_document",
    every_answer_matches_the_api_document,
)];

fn every_answer_matches_the_api_document() -> Result<(), MissingProgram> {
    let python = python()?;
    let mut env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let other = env.add_sandbox(jetond::sandbox::Line::V2_24, 600);
    let url = env.sandboxes()[other].url();
    env.enrol_at("bare", &url);
    // A long wait for the next attempt, so that no request waits for this profile's token.
    env.fault_at(other, "rate-limit:300");
    let mut daemon = env.start();
    env.token(&daemon, "research");

    let mut command = env.command(python);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/contract.py"
        ))
        .env("JETON_SOCKET", &daemon.socket)
        .env("JETON_ADMIN_SOCKET", &daemon.admin);
    let output = env.finish("schemathesis", command, b"", false);
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    env.stop(&mut daemon);
    Ok(())
}
