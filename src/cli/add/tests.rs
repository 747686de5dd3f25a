use clap::Parser as _;

use super::*;

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    add: AddArgs,
}

/// The profile that a line describes, or the exit code; `None` when the line cannot be read.
fn profile(line: &str) -> Option<Result<Option<Profile>, Exit>> {
    let line = Line::try_parse_from(["add", "x"].into_iter().chain(line.split(' '))).ok()?;
    Some(line.add.profile(&Env::from_vars([], 1_000)))
}

#[test]
fn an_oauth2_profile_is_described_by_its_arguments() {
    let line = "--provider oauth2 --issuer https://idp.example/ --client-auth post --scope a --scope b --audience c --resource urn:d --resource urn:e";
    let profile = profile(line).unwrap().unwrap().unwrap();
    let text = config::add_profile("", &ProfileName::parse("x").unwrap(), &profile).unwrap();
    assert_eq!(
        text,
        r#"[profiles.x]
provider = "oauth2"
issuer = "https://idp.example/"
store = "file"
client-auth = "post"
scope = ["a", "b"]
audience = "c"
resource = ["urn:d", "urn:e"]
"#
    );
}

#[test]
fn arguments_of_another_provider_and_bad_values_are_refused() {
    for line in [
        "--provider oauth2",
        "--provider oauth2 --scope a",
        "--provider oauth2 --url https://x",
        "--provider oauth2 --token-url https://x --url https://y",
        "--provider oauth2 --token-url https://x --api v2",
        "--provider runai --url https://x --scope a",
        "--provider runai --url https://x --issuer https://y",
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
        "--rebind --issuer https://x",
        "--rebind --scope a",
        "--issuer https://x",
    ] {
        assert!(profile(line).is_none(), "{line}");
    }
}
