use proptest::prelude::*;

use super::*;
use crate::testing::many_cases;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

#[test]
fn addresses_are_normalized_before_comparison() {
    for (text, shown) in [
        ("https://Git.Example", "https://git.example"),
        ("HTTPS://git.example:443/", "https://git.example"),
        ("git.example", "https://git.example"),
        ("git.example:8443", "https://git.example:8443"),
        ("git.example:443", "https://git.example"),
        ("Reg.Example:5000/v2", "https://reg.example:5000/v2"),
        (
            "sparse+https://crates.example/index/",
            "https://crates.example/index",
        ),
        (
            "https://git.example/A%20b/%C3%BC",
            "https://git.example/A%20b/%C3%BC",
        ),
        ("https://git.example/\u{fc}", "https://git.example/%C3%BC"),
        (
            "https://git.example/a%c3%bcf/%e2%82%aca",
            "https://git.example/a%C3%BCf/%E2%82%ACa",
        ),
        (
            "https://git.example/a%3Fb%23c/100%25",
            "https://git.example/a%3Fb%23c/100%25",
        ),
        ("https://git.example/a?b=c//d;e", "https://git.example/a"),
        ("http://127.0.0.1:8080/x?y", "http://127.0.0.1:8080/x"),
        ("http://127.8.9.1:80", "http://127.8.9.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[0:0::0:1]:8080", "http://[::1]:8080"),
        ("https://10.0.0.1", "https://10.0.0.1"),
        ("https://my_host-1", "https://my_host-1"),
        (
            "https://b\u{fc}cher.example/a",
            "https://xn--bcher-kva.example/a",
        ),
        (
            "https://B\u{dc}CHER.example",
            "https://xn--bcher-kva.example",
        ),
        (
            "https://bu\u{308}cher.example",
            "https://xn--bcher-kva.example",
        ),
        (
            "https://XN--Bcher-Kva.Example",
            "https://xn--bcher-kva.example",
        ),
        ("https://\u{ff47}it\u{3002}example", "https://git.example"),
    ] {
        let parsed = address(text);
        assert_eq!(parsed.to_string(), shown, "{text:?}");
        assert_eq!(address(shown), parsed, "stable");
        let (_, host) = parsed.origin().split_once("://").unwrap();
        assert_eq!(parsed.host(), host);
    }
}

#[test]
fn an_ambiguous_or_unprotected_address_is_refused() {
    for (text, why) in [
        ("", NO_HOST),
        ("https://", NO_HOST),
        ("https:///x", NO_HOST),
        ("//x", NO_HOST),
        ("/x", NO_HOST),
        (":443", NO_HOST),
        ("?x", NO_HOST),
        ("https://:443", NO_HOST),
        ("https://?git.example", NO_HOST),
        ("http://git.example", SCHEME),
        ("http://localhost", SCHEME),
        ("http://127.0.0.1.nip.io", SCHEME),
        ("http://[::ffff:127.0.0.1]", SCHEME),
        ("http://0.0.0.0", SCHEME),
        ("ftp://git.example", SCHEME),
        ("file:///etc/passwd", SCHEME),
        ("ssh://git.example", SCHEME),
        ("://git.example", SCHEME),
        ("git.example/x://y", SCHEME),
        ("exec:id", PORT),
        ("https:git.example", PORT),
        ("sparse+sparse+https://git.example", SCHEME),
        ("git+https://git.example", SCHEME),
        // Hosts that look like the intended one.
        ("https://git.example.", DOTS),
        ("https://git.example.:443", DOTS),
        ("https://.git.example", DOTS),
        ("https://git..example", DOTS),
        ("https://git.example\u{3002}", DOTS),
        ("https://.", DOTS),
        ("https://user@git.example", USER),
        ("https://user:secret@git.example", USER),
        ("https://@git.example", USER),
        ("https://git.example@evil.example", USER),
        ("git@git.example:team/app", USER),
        ("https://git.example%2eevil.example", HOST),
        ("https://git%2eexample", HOST),
        ("https://git.example%00.evil.example", HOST),
        ("https://git.example%0ahost=evil", HOST),
        ("https://*.example", HOST),
        ("https://git.example,evil.example", HOST),
        ("https://git.example;evil.example", HOST),
        ("https://{host}", HOST),
        ("--help", HOST),
        ("https://-oProxyCommand=id", HOST),
        ("https://-git.example", HOST),
        ("https://git-.example", HOST),
        ("https://git.example\u{ff0f}evil.example", HOST),
        ("https://git.example\u{ff1a}443", HOST),
        ("https://\u{2100}.example", HOST),
        ("https://xn--a/", HOST),
        ("https://xn--/", HOST),
        ("https://xn--example-.org", HOST),
        ("https://xn--git-.example", HOST),
        ("https://[::1", HOST),
        ("https://[::1]x", HOST),
        ("https://[git.example]", HOST),
        ("https://[fe80::1%25lo]", HOST),
        ("https://x[::1]", HOST),
        ("::1", NO_HOST),
        // One IP address in other notations.
        ("https://127.1", HOST),
        ("https://2130706433", HOST),
        ("https://0x7f000001", HOST),
        ("https://0177.0.0.1", HOST),
        ("https://127.0.0.1.", HOST),
        ("https://\u{ff11}27.0.0.1", HOST),
        ("http://127.1:8080", HOST),
        ("https://1.2.3.4.5", HOST),
        ("https://1.2.3.256", HOST),
        ("https://git.example:", PORT),
        ("https://git.example:0", PORT),
        ("https://git.example:0443", PORT),
        ("https://git.example:+443", PORT),
        ("https://git.example:443.evil.example", PORT),
        ("https://git.example:443:443", PORT),
        ("https://git.example:65536", PORT),
        ("https://git.example:99999999999999999999", PORT),
        ("https://git.example:\u{664}\u{664}\u{663}", PORT),
        ("https://[::1]:80:90", PORT),
        ("https://git.example/.", PATH),
        ("https://git.example/..", PATH),
        ("https://git.example/a/../b", PATH),
        ("https://git.example/a/./b", PATH),
        ("https://git.example/a/%2E%2e/b", PATH),
        ("https://git.example/a/.%2e/b", PATH),
        ("https://git.example/a%2fb", PATH),
        ("https://git.example/a%5Cb", PATH),
        ("https://git.example/a%3bb", PATH),
        ("https://git.example/a%252e%252e", PATH),
        ("https://git.example/a%25%32e", PATH),
        ("https://git.example/a%25zz%2541", PATH),
        ("https://git.example/te%61m", PATH),
        ("https://git.example/%c0%ae%c0%ae/b", PATH),
        ("https://git.example/a%0ahost=evil", PATH),
        ("https://git.example/a%00", PATH),
        ("https://git.example/a%7f", PATH),
        ("https://git.example/a%c2%85", PATH),
        ("https://git.example/%", PATH),
        ("https://git.example/%2", PATH),
        ("https://git.example/%+1", PATH),
        ("https://git.example/%zz", PATH),
        ("https://git.example//", PATH),
        ("https://git.example/a//b", PATH),
        ("https://git.example/a;b", PATH),
        ("https://git.example/#x", FRAGMENT),
        ("https://git.example#x", FRAGMENT),
        ("https://git.example?x#y", FRAGMENT),
        ("https://git.example\\evil", CHARACTERS),
        ("https:\\\\git.example", CHARACTERS),
        ("https://git.example/\nhost=evil", CHARACTERS),
        ("https://git.example\nhost=evil", CHARACTERS),
        ("https://git.example\rhost=evil", CHARACTERS),
        ("https://git.example\r", CHARACTERS),
        ("https://git.example\0.evil.example", CHARACTERS),
        ("https://git.example\t", CHARACTERS),
        ("https://git.example\u{7f}", CHARACTERS),
        ("https://git.example\u{85}", CHARACTERS),
        ("https://git.example\u{2028}host=evil", CHARACTERS),
        ("https://git.example\u{1b}[2J", CHARACTERS),
        ("https://git.example/\u{1b}]52;c;x\u{7}", CHARACTERS),
        ("https://git.example?\u{1b}", CHARACTERS),
        (" https://git.example", CHARACTERS),
        ("https://git.example ", CHARACTERS),
        ("https://git.example/a b", CHARACTERS),
        ("https://git\u{200b}.example", CHARACTERS),
        ("https://git\u{ad}.example", CHARACTERS),
        ("https://\u{202e}elpmaxe.tig", CHARACTERS),
        ("\u{feff}https://git.example", CHARACTERS),
    ] {
        assert_eq!(Address::parse(text), Err(why), "{text:?}");
    }
    let long = format!("https://git.example/{}", "a".repeat(MAX_LEN));
    assert!(Address::parse(&long).is_err());
}

#[test]
fn an_entry_covers_its_origin_and_whole_segments() {
    let covers = |entry: &str, asked: &str| address(entry).covers(&address(asked));
    for (entry, asked) in [
        ("https://a.example", "https://a.example"),
        ("https://a.example/", "https://a.example/x"),
        ("https://a.example", "https://A.example:443/x/y"),
        ("https://a.example/team/", "https://a.example/team"),
        ("https://a.example/team", "https://a.example/team/"),
        ("https://a.example/team", "https://a.example/team/x.git"),
    ] {
        assert!(covers(entry, asked), "{entry} {asked}");
    }
    for (entry, asked) in [
        ("https://a.example/team", "https://a.example/teams"),
        ("https://a.example/team", "https://a.example/Team"),
        ("https://a.example/team", "https://a.example"),
        ("https://a.example/team", "https://a.example/"),
        ("https://a.example/team/x", "https://a.example/team"),
        ("https://a.example", "https://a.example:8443"),
        ("https://a.example:8443", "https://a.example"),
        ("https://a.example", "https://b.a.example"),
        ("https://b.a.example", "https://a.example"),
        ("https://a.example", "https://a.example.evil"),
        ("https://a.example", "https://a.example\u{2044}b.evil"),
        ("https://a.example", "https://\u{430}.example"),
        ("http://127.0.0.1", "https://127.0.0.1"),
        ("http://127.0.0.1", "http://127.0.0.2"),
        ("http://127.0.0.1", "http://[::1]"),
    ] {
        assert!(!covers(entry, asked), "{entry} {asked}");
    }
}

proptest! {
    #![proptest_config(many_cases())]

    #[test]
    fn an_accepted_address_is_printable_and_parses_back_unchanged(
        text in "(https://|HTTP://|sparse\\+https://|)[a-zA-Z0-9.:@\\[\\]%/?#;\u{fc}\u{200b}\u{ff0e} \\\\\n-]{0,30}"
    ) {
        if let Ok(parsed) = Address::parse(&text) {
            let shown = parsed.to_string();
            prop_assert!(shown.bytes().all(|b| b.is_ascii_graphic()), "{shown}");
            prop_assert_eq!(Address::parse(&shown), Ok(parsed.clone()));
            prop_assert!(parsed.covers(&parsed));
        }
    }
}
