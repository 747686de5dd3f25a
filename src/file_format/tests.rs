use super::*;
use crate::profile::ProfileName;
use crate::token::AccessToken;

const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln";

fn shown(format: &Format, token: &str) -> Result<String, FormatError> {
    let profile = ProfileName::parse("research").unwrap();
    let token = AccessToken::parse(token).unwrap();
    let issued = TokenToWrite {
        profile: &profile,
        token: &token,
        expires_at: 1_800_000_000,
        generation: 7,
    };
    let content = format.content(&issued)?;
    assert_eq!(
        content.beside.as_ref().map(|(name, _)| *name),
        format.beside()
    );
    Ok(String::from_utf8(content.token_file.to_vec()).unwrap())
}

fn dotenv() -> Format {
    Format::Dotenv {
        variable: "JETON_TOKEN".to_owned(),
    }
}

fn template(text: &str) -> Format {
    Format::Template(Template::parse(text).unwrap())
}

#[test]
fn each_format_writes_its_exact_bytes() {
    let machines = ["a.example", "127.0.0.1"].map(|host| Machine {
        host: host.to_owned(),
        login: "oauth2".to_owned(),
    });
    for (format, token, text) in [
        (Format::Raw, "T0KEN", "T0KEN"),
        (Format::Jwt, JWT, JWT),
        (Format::Header, "T0KEN", "Authorization: Bearer T0KEN\n"),
        (
            Format::Json,
            "a\"b",
            "{\"profile\":\"research\",\"access_token\":\"a\\\"b\",\"token_type\":\"Bearer\",\"expires_at\":1800000000,\"generation\":7}\n",
        ),
        (dotenv(), "T0-._~+/=:@%,", "JETON_TOKEN=T0-._~+/=:@%,\n"),
        (dotenv(), "a|b#\"", "JETON_TOKEN='a|b#\"'\n"),
        (
            Format::Netrc(machines.to_vec()),
            "T0KEN",
            "machine a.example login oauth2 password T0KEN\nmachine 127.0.0.1 login oauth2 password T0KEN\n",
        ),
        (
            Format::Anthropic,
            "a\\b",
            "{\"version\":\"1.0\",\"type\":\"oauth_token\",\"access_token\":\"a\\\\b\",\"expires_at\":1800000000}\n",
        ),
        (
            template("x={{token}} y=\"{{ token|json }}\" z={{token|shell}} {{expires_at}}{"),
            "a'\"",
            "x=a'\" y=\"a'\\\"\" z='a'\\''\"' 1800000000{",
        ),
    ] {
        assert_eq!(shown(&format, token).as_deref(), Ok(text), "{format:?}");
    }
}

#[test]
fn the_run_ai_files_hold_the_token_in_base64_and_the_control_plane() {
    let format = Format::RunaiCli {
        url: "https://acme.run.ai".to_owned(),
        cluster: "0a1b".to_owned(),
    };
    assert_eq!(
        shown(&format, "T0KEN?").unwrap(),
        "{\"accessToken\":\"VDBLRU4/\"}\n"
    );
    let profile = ProfileName::parse("a").unwrap();
    let token = AccessToken::parse("T").unwrap();
    let issued = TokenToWrite {
        profile: &profile,
        token: &token,
        expires_at: 0,
        generation: 0,
    };
    let (name, bytes) = format.content(&issued).unwrap().beside.unwrap();
    assert_eq!(name, "config.json");
    let config: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(config["control_plane"]["url"], "https://acme.run.ai");
    assert_eq!(config["cluster"]["uuid"], "0a1b");
}

#[test]
fn a_token_that_is_not_a_jwt_is_refused_by_the_jwt_format() {
    for bad in [
        "opaque",
        "a.b.c",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0",
        // The payload is a text, and then an array.
        "eyJhbGciOiJSUzI1NiJ9.InRleHQi.c2ln",
        "eyJhbGciOiJSUzI1NiJ9.WzFd.c2ln",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.si!g",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln.c2ln.c2ln",
        "..",
    ] {
        assert_eq!(shown(&Format::Jwt, bad), Err(FormatError::NotAJwt), "{bad}");
        assert_eq!(shown(&Format::Raw, bad).as_deref(), Ok(bad));
    }
}

#[test]
fn a_token_that_programs_parse_differently_is_not_written() {
    let netrc = Format::Netrc(vec![]);
    for bad in ["a'b", "a\\b"] {
        for (format, name) in [(dotenv(), "dotenv"), (netrc.clone(), "netrc")] {
            assert_eq!(shown(&format, bad), Err(FormatError::Ambiguous(name)));
        }
    }
    assert!(shown(&dotenv(), "${HOME}").is_err());
    assert!(shown(&netrc, "#a").is_err() && shown(&netrc, "\"a\"").is_err());
}

#[test]
fn a_template_needs_the_token_and_only_known_placeholders() {
    for (bad, why) in [
        (
            "{{secret}}",
            "{{secret}} is no placeholder; there are {{token}}, {{token|json}}, {{token|shell}}, {{expires_at}}",
        ),
        (
            "{{token}} {{token|yaml}}",
            "{{token|yaml}} is no placeholder",
        ),
        ("{{token}} {{}}", "{{}} is no placeholder"),
        ("{{TOKEN}}", "{{TOKEN}} is no placeholder"),
        (
            "{{token}} {{token",
            "{{ begins a placeholder that }} does not end",
        ),
        ("{token}", "the template has no placeholder for the token"),
        (
            "{{expires_at}}",
            "the template has no placeholder for the token",
        ),
        (
            "{{token}} {{a\u{1b}[m}}",
            "{{a\\u{1b}[m}} is no placeholder",
        ),
    ] {
        let error = Template::parse(bad).unwrap_err().to_string();
        assert!(error.starts_with(why), "{bad}: {error}");
    }
}

#[test]
fn debug_output_hides_the_file_content() {
    let profile = ProfileName::parse("a").unwrap();
    let token = AccessToken::parse("canary").unwrap();
    let issued = TokenToWrite {
        profile: &profile,
        token: &token,
        expires_at: 0,
        generation: 0,
    };
    let content = Format::Raw.content(&issued).unwrap();
    assert!(!format!("{content:?} {issued:?}").contains("canary"));
}
