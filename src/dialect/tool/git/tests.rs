use super::super::testing::TOLD;
use super::*;
use crate::address::Address;
use crate::config::HostEntry;
use crate::dialect::parse;
use crate::dialect::testing::*;
use crate::query::Freshness;
use crate::wire::frame::Invocation;

const BEARER: Option<HostAuth> = Some(HostAuth::Bearer);
const BASIC: Option<HostAuth> = Some(HostAuth::Basic);

const HERE: &str = "protocol=https\nhost=git.example\n";

fn call(args: &[&str], input: &str) -> Invocation {
    Invocation {
        stdin: Some(input.as_bytes().to_vec()),
        ..run(&[&["git"], args].concat())
    }
}

fn answered(run: &Invocation) -> Reply {
    match parse(run) {
        NextStep::Answer(Instruction::Done(reply)) => reply,
        NextStep::Answer(other) => panic!("{other:?}"),
        NextStep::Ask(_) | NextStep::Confirm(..) => panic!("asks"),
    }
}

fn report(input: &str) -> Option<AddressRejectQuery> {
    match parse(&call(&["erase"], input)) {
        NextStep::Ask(Question::AddressReject(query, _)) => Some(query),
        NextStep::Answer(Instruction::Done(silent)) => {
            assert_eq!(silent, Reply::default());
            None
        }
        _ => panic!("neither a report nor silence"),
    }
}

/// Returns the kinds of entries for which a report counts.
fn counting(query: &AddressRejectQuery) -> Vec<Option<HostAuth>> {
    let kinds = [None, BEARER, BASIC].into_iter();
    let counts = |auth: &Option<HostAuth>| (query.counts)(Some(&entry(*auth, None)));
    kinds.filter(counts).collect()
}

fn entry(auth: Option<HostAuth>, username: Option<&str>) -> HostEntry {
    HostEntry {
        url: Address::parse("git.example").unwrap(),
        username: username.map(str::to_owned),
        auth,
    }
}

/// Returns what `get` prints for this input, if the entry has these settings.
fn printed(input: &str, auth: Option<HostAuth>, username: Option<&str>) -> String {
    let Question::Address(_, print) = asked(&call(&["get"], input)) else {
        panic!("asks for the token of an address")
    };
    let answer = AddressAnswer {
        token: token_answer(Freshness::Good),
        entry: Some(entry(auth, username)),
        expires_at: TOLD,
    };
    let reply = print.print(&answer, around());
    assert_eq!((reply.exit, reply.stderr.as_str()), (0, ""));
    String::from_utf8(reply.stdout.to_vec()).unwrap()
}

#[test]
fn operation_and_profile_are_accepted_in_either_order() {
    let query = |args: &[&str]| match asked(&call(args, HERE)) {
        Question::Address(query, _) => query,
        _ => panic!("asks for the token of an address"),
    };
    let here = Address::parse("git.example").unwrap();
    let bare = query(&["get"]);
    assert_eq!((bare.address, bare.profile), (Some(here), None));
    assert_eq!(bare.min_valid, Duration::ZERO);
    assert_eq!(bare.max_wait, Duration::from_secs(9));
    for args in [["research", "get"], ["get", "research"]] {
        assert_eq!(query(&args).profile.unwrap().as_str(), "research");
    }
    assert_eq!(query(&["get", "get"]).profile.unwrap().as_str(), "get");
    let mut by_name = call(&[], HERE);
    by_name.args = vec!["git-credential-jeton".into(), "get".into()];
    assert!(matches!(
        parse(&by_name),
        NextStep::Ask(Question::Address(..))
    ));
    let mut elsewhere = call(&["get"], HERE);
    elsewhere.env.insert("JETON_PROFILE".into(), "ci".into());
    let Question::Address(query, _) = asked(&elsewhere) else {
        panic!()
    };
    assert_eq!(query.profile, None, "the address decides");
}

#[test]
fn every_operation_with_input_reads_all_of_it() {
    for operation in ["get", "store", "erase"] {
        let all = Instruction::SendInput { one_line: false };
        let NextStep::Answer(answer) = parse(&run(&["git", operation])) else {
            panic!("asks for no input")
        };
        assert_eq!(answer, all, "{operation}");
    }
}

#[test]
fn store_and_operations_of_a_later_git_are_ignored() {
    let stored = format!("{HERE}username=x\npassword=T0KEN\n");
    for (args, input) in [
        (&["store"][..], stored.as_str()),
        (&["store"], "no message\r\n"),
        (&["research", "store"], ""),
        (&["later"], ""),
    ] {
        assert_eq!(answered(&call(args, input)), Reply::default(), "{args:?}");
    }
    assert_eq!(answered(&run(&["git", "later"])), Reply::default());
    let mut typed = run(&["git", "gte"]);
    typed.terminal.input = true;
    let line = answered(&typed);
    assert_eq!(line.exit, 64);
    assert!(line.stderr.contains("no such operation"), "{}", line.stderr);
}

#[test]
fn capabilities_are_printed_without_input() {
    let told = answered(&run(&["git", "capability"]));
    assert_eq!(
        told,
        reply("version 0\ncapability authtype\ncapability state\n", "", 0)
    );
}

#[test]
fn invalid_arguments_are_a_usage_error() {
    for args in [&[][..], &["a", "get", "b"], &["Bad Name", "get"], &["--x"]] {
        let refused = answered(&call(args, HERE));
        assert_eq!((refused.exit, refused.stdout.len()), (64, 0), "{args:?}");
    }
}

#[test]
fn a_malicious_message_is_refused_in_one_line_without_echoing_it() {
    for input in [
        "protocol=https\nhost=git.example\rhost=evil\n",
        "protocol=https\nhost=git.example%0ahost=evil\n",
        "protocol=https\nhost=evil\u{1b}]8;;x\n",
        "protocol=https\nhost=\n",
        "host=evil\n",
        "evil",
        "",
    ] {
        for args in [&["get"][..], &["research", "get"]] {
            let refused = answered(&call(args, input));
            assert_eq!((refused.exit, refused.stdout.len()), (64, 0), "{input:?}");
            let line = refused.stderr;
            assert!(
                line.starts_with("jeton: git's message is refused: "),
                "{line}"
            );
            assert!(
                !line.contains("evil") && line.lines().count() == 1,
                "{line}"
            );
            assert!(line.trim_end().chars().all(|c| !c.is_control()), "{line}");
        }
    }
}

const PASSWORD: &str =
    "ephemeral=1\npassword_expiry_utc=1800002000\nusername=oauth2\npassword=T0KEN\n\n";

#[test]
fn an_old_git_gets_a_user_and_a_password() {
    for auth in [None, BEARER, BASIC] {
        assert_eq!(printed(HERE, auth, None), PASSWORD, "{auth:?}");
    }
}

#[test]
fn the_bearer_form_is_added_only_where_the_server_offers_bearer() {
    let both = "capability[]=state\ncapability[]=authtype\nauthtype=Bearer\ncredential=T0KEN\nephemeral=1\n\
                password_expiry_utc=1800002000\nstate[]=jeton:7\nusername=oauth2\npassword=T0KEN\n\n";
    let alone = "capability[]=state\nephemeral=1\npassword_expiry_utc=1800002000\nstate[]=jeton:7\n\
                 username=oauth2\npassword=T0KEN\n\n";
    for (offered, auth, want) in [
        ("", None, both),
        ("wwwauth[]=Bearer realm=\"x\"\n", None, both),
        ("wwwauth[]=bearer\n", None, both),
        (
            "wwwauth[]=Basic realm=\"x\"\nwwwauth[]=Bearer\n",
            None,
            both,
        ),
        (
            "wwwauth[]=Basic realm=\"x\", Bearer realm=\"y\"\n",
            None,
            both,
        ),
        ("wwwauth[]=Basic realm=\"x\"\n", None, alone),
        ("wwwauth[]=Basic realm=\"a, Bearer b\"\n", None, alone),
        ("wwwauth[]=Negotiate\n", None, alone),
        ("wwwauth[]=\n", None, alone),
        ("", BEARER, both),
        ("wwwauth[]=Basic realm=\"x\"\n", BEARER, both),
        ("", BASIC, alone),
        ("wwwauth[]=Bearer\n", BASIC, alone),
    ] {
        let input = format!("capability[]=authtype\ncapability[]=state\n{HERE}{offered}");
        assert_eq!(printed(&input, auth, None), want, "{offered} {auth:?}");
    }
    let no_state = format!("capability[]=authtype\n{HERE}");
    let no_state = printed(&no_state, None, None);
    assert!(!no_state.contains("state") && no_state.contains("authtype=Bearer"));
}

#[test]
fn the_user_name_comes_from_the_entry_or_else_the_address() {
    let named = format!("{HERE}username=alice\n");
    for (input, own, want) in [
        (HERE, None, "oauth2"),
        (HERE, Some("<token>"), "<token>"),
        (&named, None, "alice"),
        (&named, Some("alice"), "alice"),
    ] {
        let printed = printed(input, None, own);
        assert!(
            printed.contains(&format!("\nusername={want}\n")),
            "{printed}"
        );
    }
    let Question::Address(query, _) = asked(&call(&["get"], &named)) else {
        panic!()
    };
    assert_eq!(query.username.as_deref(), Some("alice"));
}

#[test]
fn each_byte_of_a_token_is_printed() {
    for token in hard_tokens() {
        let input = format!("capability[]=authtype\n{HERE}");
        let Question::Address(_, print) = asked(&call(&["get"], &input)) else {
            panic!()
        };
        let answer = AddressAnswer {
            token: answer_with(&token),
            entry: None,
            expires_at: TOLD,
        };
        let printed = print.print(&answer, around()).stdout;
        let printed = std::str::from_utf8(&printed).unwrap();
        for line in [format!("credential={token}"), format!("password={token}")] {
            assert!(printed.lines().any(|printed| printed == line));
        }
    }
}

#[test]
fn an_erase_is_a_report_only_with_our_state_and_a_supported_scheme() {
    let bearer = "authtype=Bearer\ncredential=T0KEN\nephemeral=1\n";
    let password = "username=oauth2\npassword=T0KEN\n";
    let ours = "capability[]=authtype\ncapability[]=state\nstate[]=jeton:7\n";
    let other = "capability[]=authtype\ncapability[]=state\n";
    for (lines, reported) in [
        (&[ours, bearer, password, "wwwauth[]=Bearer\n"][..], true),
        (&[ours, bearer, password], true),
        (
            &[
                ours,
                bearer,
                password,
                "wwwauth[]=Basic\nwwwauth[]=bearer x=y\n",
            ],
            true,
        ),
        (
            &[ours, bearer, password, "wwwauth[]=Basic realm=\"x\"\n"],
            false,
        ),
        (&[ours, bearer, password, "wwwauth[]=\n"], false),
        (&[ours, password, "wwwauth[]=Basic realm=\"x\"\n"], true),
        (&[ours, password, "wwwauth[]=Bearer\n"], false),
        (&[ours, password], true),
        (&[ours, "state[]=other:1\n", password], true),
        (&[ours, "state[]=jeton:8\n", password], false),
        (&[other, bearer, password, "wwwauth[]=Bearer\n"], false),
        (&[other, "state[]=other:7\n", password], false),
        (&[other, "state[]=jeton:\n", password], false),
        (&[other, "state[]=jeton:+7\n", password], false),
        (&[other, "state[]=jeton:7x\n", password], false),
        (
            &[other, "state[]=jeton:99999999999999999999\n", password],
            false,
        ),
        (&[other, "state[]=Jeton:7\n", password], false),
    ] {
        let got = report(&format!("{HERE}{}", lines.concat()));
        let got = got.map(|query| (query.which, counting(&query)));
        let want = reported.then_some((hash(b"T0KEN"), vec![None, BEARER, BASIC]));
        assert_eq!(got, want, "{lines:?}");
    }
}

fn hash(token: &[u8]) -> Rejected {
    Rejected::Sha256(Sha256::digest(token).into())
}

#[test]
fn a_report_names_the_token_by_the_value_that_git_sent() {
    let state = "capability[]=state\nstate[]=jeton:7\n";
    for (lines, which) in [
        ("username=a\npassword=P\n", hash(b"P")),
        (
            "authtype=Bearer\ncredential=C\nusername=a\npassword=P\n",
            hash(b"C"),
        ),
        // Without the value, only the generation is known.
        ("username=a\n", Rejected::Generation(7)),
        (
            "authtype=Bearer\nusername=a\npassword=P\n",
            Rejected::Generation(7),
        ),
    ] {
        let query = report(&format!("{HERE}{state}{lines}")).unwrap();
        assert_eq!(query.which, which, "{lines}");
    }
}

#[test]
fn an_erase_by_an_old_git_reports_the_token_hash_only_for_basic() {
    for (lines, reported) in [
        ("username=oauth2\npassword=T0KEN\n", true),
        ("username=oauth2\npassword=T0KEN\nwwwauth[]=Basic\n", true),
        ("username=oauth2\npassword=T0KEN\nwwwauth[]=Bearer\n", false),
        ("username=oauth2\n", false),
        (
            "capability[]=state\nusername=oauth2\npassword=T0KEN\n",
            false,
        ),
    ] {
        let got = report(&format!("{HERE}{lines}"));
        let got = got.map(|query| (query.which, counting(&query)));
        assert_eq!(
            got,
            reported.then_some((hash(b"T0KEN"), vec![BASIC])),
            "{lines}"
        );
    }
    let query = report(&format!("{HERE}path=team\nusername=a\npassword=T0KEN\n")).unwrap();
    let there = Address::parse("https://git.example/team").unwrap();
    assert_eq!(query.at.address, Some(there));
    assert_eq!(query.at.username.as_deref(), Some("a"));
}
