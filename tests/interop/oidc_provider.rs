//! A certified OpenID provider over TLS: profiles are enrolled at it, the daemon serves their tokens, and the provider
//! confirms them by introspection.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::daemon::Daemon;
use crate::support::env::Output;
use crate::tools::{MissingProgram, Test};
use issuer::{Client, Issuer};
use tinyproxy::{ENROLMENT, FETCH, behind_a_proxy, saw_tunnels};

mod issuer;
mod tinyproxy;

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "tokens_have_the_requested_scope_and_audience",
        tokens_have_the_requested_scope_and_audience,
    ),
    (
        "an_issuer_with_a_path_is_found",
        an_issuer_with_a_path_is_found,
    ),
    (
        "a_refusal_of_the_provider_is_reported_and_nothing_is_written",
        a_refusal_of_the_provider_is_reported_and_nothing_is_written,
    ),
    (
        "the_provider_gets_the_configured_client_certificate",
        the_provider_gets_the_configured_client_certificate,
    ),
    (
        "a_real_proxy_gets_only_requests_for_tunnels",
        a_real_proxy_gets_only_requests_for_tunnels,
    ),
    (
        "the_proxy_of_the_environment_is_used_on_request",
        the_proxy_of_the_environment_is_used_on_request,
    ),
];

/// Runs `jetond add` with these arguments and environment variables.
fn add(env: &TestEnv, name: &str, client: &Client, args: &[&str], vars: &[(&str, &str)]) -> Output {
    let mut command = env.jetond_command(&["add", name, "--provider", "oauth2"]);
    command
        .args(["--client-id", &client.id, "--client-secret-stdin"])
        .args(args)
        .envs(vars.iter().copied());
    let input = format!("{}\n", client.secret);
    env.finish("jetond", command, input.as_bytes(), false)
}

fn enrol(env: &TestEnv, name: &str, client: &Client, args: &[&str]) {
    let added = add(env, name, client, args, &[]);
    assert_eq!(added.code, 0, "{added:?}");
}

/// Returns the daemon's answer with a token, and adds the token to those whose leak fails the test.
fn answer(env: &mut TestEnv, daemon: &Daemon, name: &str) -> Value {
    let answer = env.get(daemon, &format!("/v1/profiles/{name}/token?max_wait=30"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    env.forbid_token(answer["access_token"].as_str().unwrap());
    answer
}

/// Returns the issuer's introspection of a profile's token.
fn known(env: &mut TestEnv, daemon: &Daemon, issuer: &Issuer, name: &str) -> Value {
    let answer = answer(env, daemon, name);
    issuer.introspect(env, answer["access_token"].as_str().unwrap())
}

fn tokens_have_the_requested_scope_and_audience() -> Result<(), MissingProgram> {
    let mut env = TestEnv::new();
    let issuer = Issuer::start(&mut env, &[])?;
    let (basic, post) = (&issuer.basic, &issuer.post);
    let token_url = format!("{}/token", issuer.url);
    let by_issuer = |name: &str, client: &Client, more: &[&str]| {
        enrol(&env, name, client, &[&issuer.arguments(), more].concat());
    };
    by_issuer("opaque", basic, &["--scope", "api.read"]);
    let two = [
        "--client-auth",
        "post",
        "--scope",
        "api.read",
        "--scope",
        "api.write",
    ];
    by_issuer("posted", post, &two);
    let signed = [
        "--scope",
        "api.write",
        "--resource",
        "https://jwt.example/api",
    ];
    by_issuer("signed", basic, &signed);
    by_issuer("for-one", basic, &["--resource", "urn:opaque:api"]);
    let by_token_url = ["--token-url", &token_url, "--ca-file", &issuer.ca];
    enrol(&env, "direct", basic, &by_token_url);
    let mut daemon = env.start();

    let opaque = answer(&mut env, &daemon, "opaque");
    assert_eq!(opaque["token_type"], "Bearer");
    assert!(
        opaque["expires_in"].as_u64() > Some(500),
        "{}",
        opaque["expires_in"]
    );
    let token = opaque["access_token"].as_str().unwrap();
    assert!(!token.contains('.'), "the token is opaque");
    let said = issuer.introspect(&env, token);
    assert_eq!(said["active"], true, "{said}");
    assert_eq!(
        (&said["client_id"], &said["scope"]),
        (&json!(basic.id), &json!("api.read"))
    );

    let said = known(&mut env, &daemon, &issuer, "posted");
    assert_eq!(
        (&said["client_id"], &said["scope"]),
        (&json!(post.id), &json!("api.read api.write"))
    );

    let signed = answer(&mut env, &daemon, "signed");
    let token = signed["access_token"].as_str().unwrap();
    let claims = URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["aud"], "https://jwt.example/api", "{claims}");
    assert_eq!(
        (&claims["client_id"], &claims["scope"]),
        (&json!(basic.id), &json!("api.write"))
    );
    assert!(
        signed["expires_at"].as_u64() <= claims["exp"].as_u64(),
        "{claims}"
    );
    assert!(
        signed["expires_in"].as_u64() <= Some(120),
        "{}",
        signed["expires_in"]
    );

    let said = known(&mut env, &daemon, &issuer, "for-one");
    assert_eq!(
        (&said["active"], &said["aud"]),
        (&json!(true), &json!("urn:opaque:api"))
    );
    let said = known(&mut env, &daemon, &issuer, "direct");
    assert_eq!(said["active"], true, "{said}");
    env.stop(&mut daemon);
    Ok(())
}

/// The discovery document of an issuer with a path is only where `OpenID` puts it. That of an issuer without a path is
/// where RFC 8414 puts it.
fn an_issuer_with_a_path_is_found() -> Result<(), MissingProgram> {
    let mut env = TestEnv::new();
    let issuer = Issuer::start(&mut env, &[("ISSUER_PATH", "/realms/x")])?;
    enrol(&env, "a", &issuer.basic, &issuer.arguments());
    let mut daemon = env.start();
    let said = known(&mut env, &daemon, &issuer, "a");
    assert_eq!(said["active"], true, "{said}");
    let slash = format!("{}/", issuer.url);
    let args = ["--issuer", &slash, "--ca-file", &issuer.ca];
    let added = add(&env, "b", &issuer.basic, &args, &[]);
    assert_eq!(added.code, 78, "{added:?}");
    let why = "the two differ in the final slash, so write the issuer as it does, without it";
    assert!(added.stderr.contains(why), "{added:?}");
    env.stop(&mut daemon);
    Ok(())
}

fn a_refusal_of_the_provider_is_reported_and_nothing_is_written() -> Result<(), MissingProgram> {
    let mut env = TestEnv::new();
    let issuer = Issuer::start(&mut env, &[])?;
    let (basic, post) = (issuer.basic.clone(), issuer.post.clone());
    let wrong = Client {
        secret: format!("{}x", basic.secret),
        ..basic.clone()
    };
    let nobody = Client {
        id: "nobody".to_owned(),
        ..basic.clone()
    };
    let nothing = format!("{}/nothing", issuer.url);
    let elsewhere = ["--token-url", &nothing, "--ca-file", &issuer.ca];
    let to = issuer.arguments();
    let posting = [&to[..], &["--client-auth", "post"]].concat();
    let scoped = [&to[..], &["--scope", "admin"]].concat();
    let cases: [(&Client, &[&str], i32, &str); 7] = [
        (
            &wrong,
            &to,
            1,
            "rejected the request for a token (401): \"invalid_client",
        ),
        (&nobody, &to, 1, "\"invalid_client"),
        (&post, &to, 1, "\"invalid_client"),
        (&basic, &posting, 1, "\"invalid_client"),
        (&basic, &scoped, 1, "\"invalid_scope"),
        (&basic, &elsewhere, 78, "no token endpoint"),
        // The machine's roots do not contain this CA.
        (&basic, &to[..2], 78, "trust"),
    ];
    for (client, args, code, why) in cases {
        let added = add(&env, "a", client, args, &[]);
        assert_eq!(added.code, code, "{why}: {added:?}");
        assert!(added.stderr.contains(why), "{why}: {added:?}");
        assert!(!env.config().exists() && !env.record("a").exists(), "{why}");
    }
    Ok(())
}

fn the_provider_gets_the_configured_client_certificate() -> Result<(), MissingProgram> {
    let mut env = TestEnv::new();
    let issuer = Issuer::start(&mut env, &[("MUTUAL_TLS", "1")])?;
    let added = add(&env, "a", &issuer.basic, &issuer.arguments(), &[]);
    // It depends on the network whether the alert arrives before the end of the connection.
    let told = [("asks for a client certificate", 78), ("broke before", 75)];
    assert!(
        told.iter()
            .any(|(why, code)| added.stderr.contains(why) && added.code == *code),
        "{added:?}"
    );
    assert!(!env.config().exists());
    let (cert, key) = &issuer.certificate;
    let more = ["--client-certificate", cert, "--client-key", key];
    enrol(
        &env,
        "a",
        &issuer.basic,
        &[&issuer.arguments(), &more[..]].concat(),
    );
    let mut daemon = env.start();
    assert_eq!(answer(&mut env, &daemon, "a")["token_type"], "Bearer");
    env.stop(&mut daemon);
    Ok(())
}

fn a_real_proxy_gets_only_requests_for_tunnels() -> Result<(), MissingProgram> {
    let mut env = TestEnv::new();
    let (issuer, mut proxy) = behind_a_proxy(&mut env)?;
    let url = proxy.url();
    let args = [&issuer.arguments()[..], &["--proxy", &url]].concat();
    enrol(&env, "a", &issuer.basic, &args);
    let mut daemon = env.start();
    let said = known(&mut env, &daemon, &issuer, "a");
    assert_eq!(said["active"], true, "{said}");
    env.stop(&mut daemon);
    saw_tunnels(&proxy, &issuer, ENROLMENT + FETCH);
    proxy.stop();
    let added = add(&env, "b", &issuer.basic, &args, &[]);
    assert_eq!(added.code, 75, "{added:?}");
    assert!(
        added.stderr.contains(&format!("through the proxy {url}")),
        "{added:?}"
    );
    Ok(())
}

fn the_proxy_of_the_environment_is_used_on_request() -> Result<(), MissingProgram> {
    let mut env = TestEnv::new();
    let (issuer, proxy) = behind_a_proxy(&mut env)?;
    let url = proxy.url();
    let set = [("HTTPS_PROXY", url.as_str())];
    let added = add(&env, "unasked", &issuer.basic, &issuer.arguments(), &set);
    assert_eq!(added.code, 0, "{added:?}");
    saw_tunnels(&proxy, &issuer, 0);
    let args = [&issuer.arguments()[..], &["--proxy", "environment"]].concat();
    let added = add(&env, "asked", &issuer.basic, &args, &set);
    assert_eq!(added.code, 0, "{added:?}");
    saw_tunnels(&proxy, &issuer, ENROLMENT);
    let config = fs::read_to_string(env.config()).unwrap();
    assert_eq!(
        config.matches("proxy = \"environment\"").count(),
        1,
        "{config}"
    );
    let mut command = env.jetond_command(&["run"]);
    command.envs(set);
    let mut daemon = env.start_command(command);
    for name in ["asked", "unasked"] {
        let said = known(&mut env, &daemon, &issuer, name);
        assert_eq!(said["active"], true, "{name}: {said}");
    }
    env.stop(&mut daemon);
    saw_tunnels(&proxy, &issuer, ENROLMENT + FETCH);
    Ok(())
}
