//! Claude Code's `headersHelper`: the headers for a connection to an MCP server, as a JSON object.
//!
//! The client names the server in two variables. Without the address nothing is printed: the token would go to whatever
//! server the client connects to.

use std::time::Duration;

use super::super::args::{Grammar, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::row::verb;
use super::super::token_request::{basic_between, json_token_between, stale_note};
use super::request::{OF_A_COMMAND, address_query, username};
use super::{ClientBehaviour, Tool};
use crate::address::Address;
use crate::config::HostAuth;
use crate::query::{AddressAnswer, Print, PrintContext, Question};
use crate::wire::frame::Reply;

/// The protocol's row.
pub(super) const TOOL: Tool = Tool {
    verb: verb(&GRAMMAR, parse),
    client: CLIENT,
};

static GRAMMAR: Grammar = Grammar {
    verb: "mcp-headers",
    usage: "[PROFILE]",
    does: "headers for an MCP server, as Claude Code's headersHelper",
    options: &[],
    profile: Profile::Argument,
};

/// Claude Code runs the helper for each connection, and again after a 401 or a 403.
const CLIENT: ClientBehaviour = ClientBehaviour {
    interval: OF_A_COMMAND,
    window: Duration::ZERO,
    timeout: Some(Duration::from_secs(10)),
    source: "code.claude.com/docs/en/mcp: for each connection; a helper has 10 s",
};

struct Headers;

/// Parses a call.
fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    let url = call.run.env.get("CLAUDE_CODE_MCP_SERVER_URL");
    let url = url.ok_or(GRAMMAR.wrong(
        "CLAUDE_CODE_MCP_SERVER_URL is not set, so nothing says where the token would go; run this as the headersHelper \
         of an MCP server",
    ))?;
    let address = Address::parse(url).map_err(|error| GRAMMAR.wrong(error.0))?;
    let query = address_query(call, Some(address), args.profile());
    Ok(NextStep::Ask(Question::Address(query, Box::new(Headers))))
}

impl Print<AddressAnswer> for Headers {
    fn print(&self, answer: &AddressAnswer, around: PrintContext<'_>) -> Reply {
        let token = &answer.token;
        let auth = answer.entry.as_ref().and_then(|entry| entry.auth);
        let stdout = if auth == Some(HostAuth::Basic) {
            let before = r#"{"Authorization":"Basic "#;
            basic_between(before, username(answer, None), token, "\"}\n")
        } else {
            json_token_between(r#"{"Authorization":"Bearer "#, token, "\"}\n")
        };
        Reply {
            stdout,
            stderr: stale_note(token, around.now.boot),
            exit: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::dialect::testing::{hard_tokens, run};
    use crate::wire::frame::Invocation;

    const VARIABLE: &str = "CLAUDE_CODE_MCP_SERVER_URL";
    const URL: &str = "https://mcp.example/sse?team=1";

    fn headers(args: &[&str], url: &str) -> Invocation {
        run_in(&[&["mcp-headers"], args].concat(), VARIABLE, url)
    }

    #[test]
    fn the_headers_object_uses_the_form_of_the_entry() {
        let with = |auth| Some(entry("https://mcp.example", Some("me"), auth));
        let bearer = "{\"Authorization\":\"Bearer T0KEN\"}\n";
        for (auth, says) in [
            (None, bearer),
            (Some(HostAuth::Bearer), bearer),
            (
                Some(HostAuth::Basic),
                "{\"Authorization\":\"Basic bWU6VDBLRU4=\"}\n",
            ),
        ] {
            assert_eq!(prints(&headers(&[], URL), "T0KEN", with(auth)), says);
        }
        for token in hard_tokens() {
            let text = prints(&headers(&["ci"], URL), &token, None);
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["Authorization"], format!("Bearer {token}"));
        }
    }

    #[test]
    fn the_address_is_the_server_url_and_a_named_profile_stays_bound_to_it() {
        let (query, _) = asks(&headers(&["ci"], URL));
        assert_eq!(
            query.address.as_ref().unwrap().to_string(),
            "https://mcp.example/sse"
        );
        assert_eq!(query.profile.as_ref().unwrap().as_str(), "ci");
        let seconds = Duration::from_secs;
        assert_eq!(times(&query), (seconds(360), seconds(9)));
        assert!(note(&headers(&[], URL)).contains("is valid for only"));
    }

    #[test]
    fn without_a_server_url_the_request_is_refused() {
        let mut named = run(&["mcp-headers", "ci"]);
        named
            .env
            .insert("CLAUDE_CODE_MCP_SERVER_NAME".into(), "ci".into());
        named.env.insert("JETON_PROFILE".into(), "ci".into());
        for run in [run(&["mcp-headers"]), named, headers(&["ci"], "")] {
            let got = at_once(&run);
            assert_eq!((got.exit, got.stdout.len()), (64, 0));
            assert_eq!(got.stderr.lines().count(), 1);
        }
        for url in NO_ADDRESSES {
            let got = at_once(&headers(&["ci"], url));
            assert_eq!((got.exit, got.stdout.len()), (64, 0), "{url:?}");
            assert_eq!(got.stderr.lines().count(), 1, "{url:?}");
        }
    }
}
