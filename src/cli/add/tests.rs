use clap::Parser as _;

use super::*;

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    add: AddArgs,
}

/// The profile that a line describes, or the exit code; `None` if the line cannot be parsed.
fn profile(line: &str) -> Option<Result<Option<Profile>, Exit>> {
    let line = Line::try_parse_from(["add", "x"].into_iter().chain(line.split(' '))).ok()?;
    Some(line.add.profile(&Env::from_vars([], 1_000)))
}

#[test]
fn add_builds_an_oauth2_profile_from_its_arguments() {
    let line = "--provider oauth2 --issuer https://idp.example/ --client-auth post --client-id-in-body --scope a --scope b --audience c --resource urn:d --resource urn:e --extra tenant=acme=1 --extra hint=x --client-certificate /c/us.pem --client-key /c/us.key";
    let profile = profile(line).unwrap().unwrap().unwrap();
    let text = config::add_profile("", &ProfileName::parse("x").unwrap(), &profile).unwrap();
    assert_eq!(
        text,
        r#"[profiles.x]
provider = "oauth2"
issuer = "https://idp.example/"
store = "file"
client-auth = "post"
client-id-in-body = true
scope = ["a", "b"]
audience = "c"
resource = ["urn:d", "urn:e"]
extra = { hint = "x", tenant = "acme=1" }
client-certificate = { cert = "/c/us.pem", key = "/c/us.key" }
"#
    );
}

#[test]
fn add_refuses_invalid_values_and_arguments_of_another_provider() {
    for line in [
        "--provider oauth2",
        "--provider oauth2 --scope a",
        "--provider oauth2 --url https://x",
        "--provider oauth2 --token-url https://x --url https://y",
        "--provider oauth2 --token-url https://x --api v2",
        "--provider runai --url https://x --scope a",
        "--provider runai --url https://x --issuer https://y",
        "--provider runai --url https://x --extra a=b",
        "--provider oauth2 --issuer https://x --extra a=b --extra a=c",
    ] {
        assert_eq!(profile(line).unwrap().unwrap_err(), Exit::Usage, "{line}");
    }
    for line in [
        "--provider runai",
        "--provider runai --issuer https://x",
        "--provider oauth2 --issuer https://x --token-url https://x",
        "--provider oauth2 --issuer http://x",
        "--provider oauth2 --issuer https://x --scope a\"b",
        "--provider oauth2 --issuer https://x --resource nowhere",
        "--provider oauth2 --issuer https://x --extra a",
        "--provider oauth2 --issuer https://x --extra a=",
        "--provider oauth2 --issuer https://x --extra =a",
        "--provider oauth2 --issuer https://x --extra scope=a",
        "--provider oauth2 --issuer https://x --extra client_secret=a",
        "--provider oauth2 --issuer https://x --client-certificate /c",
        "--provider oauth2 --issuer https://x --client-key /c",
        "--rebind --client-certificate /c --client-key /c",
        "--rebind --extra a=b",
        "--rebind --issuer https://x",
        "--rebind --scope a",
        "--issuer https://x",
    ] {
        assert!(profile(line).is_none(), "{line}");
    }
}
