//! Filtering of control characters: commands that print a token print one line of printable characters or nothing, and
//! standard error gets no control character from an answer.

use super::daemon::{ConnectionStep, ScriptedDaemon, ok};
use super::run::{assert_line, jeton_at, outcome};

const VERBS: [&[u8]; 4] = [b"token", b"header", b"reject", b"exec"];

fn answered(verb: &[u8], stdout: &[&[u8]], code: u8) -> (i32, String, String) {
    let fields: Vec<_> = stdout.iter().map(|part| (1, *part)).collect();
    let code = [code];
    let fields = [fields, vec![(3, code.as_slice())]].concat();
    let daemon = ScriptedDaemon::new(vec![
        ConnectionStep::Answer(ok(&fields)),
        ConnectionStep::Close,
    ]);
    let verb = std::str::from_utf8(verb).unwrap();
    let args: &[&str] = match verb {
        "exec" => &["exec", "--env", "T", "--", "/bin/sh", "-c", "echo \"$T\""],
        _ => &[verb],
    };
    outcome(&jeton_at(&daemon.socket, args).output().unwrap())
}

#[test]
fn a_token_is_printed_whole() {
    for verb in VERBS {
        for parts in [
            &[b"tok\n".as_slice()][..],
            &[b"t", b"o", b"k\n"],
            &[b"", b"tok", b"\n"],
        ] {
            let printed = answered(verb, parts, 0);
            assert_eq!(printed, (0, "tok\n".into(), String::new()));
        }
    }
    // The final newline and the exit code come from the daemon.
    let bare = answered(b"token", &[b" ~}{\"a\": 1"], 3);
    assert_eq!(bare, (3, " ~}{\"a\": 1".into(), String::new()));
}

#[test]
fn an_answer_with_a_control_character_is_not_printed() {
    let controls = (0..=0x1f).chain([0x7f]);
    let mut texts: Vec<Vec<u8>> = controls
        .flat_map(|byte| {
            [
                vec![byte, b'a', b'\n'],
                vec![b'a', byte, b'b'],
                vec![b'a', byte],
            ]
        })
        .filter(|text| text != b"a\n")
        .collect();
    texts.extend([
        b"a\r\n".to_vec(),
        b"a\n\n".to_vec(),
        b"\n\n".to_vec(),
        b"a\nX-Injected: 1\n".to_vec(),
        // A C1 control character, as UTF-8 and as a single byte.
        "a\u{9b}2J".into(),
        b"a\x9b2J".to_vec(),
        "caf\u{e9}".into(),
    ]);
    for text in texts {
        for verb in VERBS {
            let parts: Vec<_> = text.chunks(2).collect();
            let (code, stdout, stderr) = answered(verb, &parts, 0);
            assert_eq!((code, stdout.as_str()), (1, ""), "{verb:?} {text:?}");
            assert_line(&stderr, "");
        }
    }
}

#[test]
fn a_truncated_answer_is_not_printed() {
    for verb in [&["token"][..], &["header"], &["reject"]] {
        let daemon = ScriptedDaemon::new(vec![ConnectionStep::Answer(ok(&[(1, b"tok\n")]))]);
        let output = jeton_at(&daemon.socket, verb).output().unwrap();
        let (code, stdout, stderr) = outcome(&output);
        assert_eq!((code, stdout.as_str()), (75, ""));
        assert_line(&stderr, "broke off");
    }
}

#[test]
fn text_for_standard_error_is_shown_without_control_characters() {
    let shown = |parts: &[&[u8]]| {
        let fields: Vec<_> = parts.iter().map(|part| (2, *part)).collect();
        let fields = [fields, vec![(3, b"\0".as_slice())]].concat();
        let daemon = ScriptedDaemon::new(vec![ConnectionStep::Answer(ok(&fields))]);
        let output = jeton_at(&daemon.socket, &["status"]).output().unwrap();
        outcome(&output)
    };
    for (text, want) in [
        (&b"two\n\tlines\n"[..], "two\n\tlines\n"),
        ("é 😀 \u{a0}\n".as_bytes(), "é 😀 \u{a0}\n"),
        (b"\x1b]0;pwned\x07\x1b[2J\n", "\\x1b]0;pwned\\x07\\x1b[2J\n"),
        (
            b"over\rwritten\x00\x7f\x08\n",
            "over\\x0dwritten\\x00\\x7f\\x08\n",
        ),
        ("\u{9b}2J\u{85}".as_bytes(), "\\x9b2J\\x85"),
        (b"\x9b2J\xff\n", "\\x9b2J\\xff\n"),
        (b"\xe2\x82", "\\xe2\\x82"),
        (b"\xe2\x82\x1b[2J", "\\xe2\\x82\\x1b[2J"),
        (b"\xf0\x9f\xf0\x9f\x98\x80", "\\xf0\\x9f\u{1f600}"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
    ] {
        assert_eq!(shown(&[text]), (0, String::new(), want.into()));
    }
}
