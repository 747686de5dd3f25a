use super::*;
use crate::dialect::testing::*;
use crate::query::{Question, WatchEvent};
use crate::wire::frame::Invocation;

#[test]
fn a_usage_error_prints_one_line_without_echo_and_exits_with_64() {
    for args in [
        &["\u{1b}[31mno-such-verb"][..],
        &[],
        &["token", "a", "b"],
        &["token", "--no-such-option"],
        &["token", "Bad Name"],
        &["token", "a\nhost=evil"],
        &["token", "--min-valid"],
        &["token", "--min-valid", "-1"],
        &["token", "--min-valid=1e9"],
        &["reject", "--generation", "x"],
        &["exec", "research"],
        &["exec", "--env", "A=B", "research"],
        &["reload", "research"],
        &["ready", "--wait", "x"],
    ] {
        let NextStep::Answer(Instruction::Done(reply)) = parse(&run(args)) else {
            panic!("{args:?} is refused");
        };
        assert_eq!(reply.exit, 64, "{args:?}");
        assert!(reply.stdout.is_empty());
        let line = reply.stderr;
        assert!(
            line.starts_with("jeton: ") && line.ends_with('\n'),
            "{line:?}"
        );
        assert!(line.trim_end().chars().all(|c| !c.is_control()), "{line:?}");
        assert!(
            !line.contains("evil") && !line.contains("no-such"),
            "{line:?}"
        );
    }
}

#[test]
fn every_verb_that_prints_a_token_prints_all_its_bytes() {
    let in_json = |line: &str| {
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        read["access_token"].as_str().unwrap().to_owned()
    };
    for token in hard_tokens() {
        let answer = answer_with(&token);
        let stdout = |args: &[&str]| {
            let reply = printed(&run(args), &answer);
            String::from_utf8(reply.stdout.to_vec()).unwrap()
        };
        assert_eq!(stdout(&["token"]), format!("{token}\n"));
        assert_eq!(stdout(&["reject", "--generation=6"]), format!("{token}\n"));
        let header = format!("Authorization: Bearer {token}\n");
        assert_eq!(stdout(&["header"]), header);
        assert_eq!(stdout(&["exec", "--env", "TOKEN"]), token);
        for args in [
            &["token", "--json"][..],
            &["reject", "--json", "--generation=6"],
        ] {
            let line = stdout(args);
            assert_eq!(line.find('\n'), Some(line.len() - 1), "{args:?}");
            assert_eq!(in_json(&line), token, "{args:?}");
        }
        let Question::Watch(_, print) = asked(&run(&["watch"])) else {
            panic!("it watches")
        };
        let event = print.print(&WatchEvent::Token(answer), around()).stdout;
        let event = std::str::from_utf8(&event).unwrap();
        assert_eq!(event.find('\n'), Some(event.len() - 1));
        assert_eq!(in_json(event), token);
    }
}

#[test]
fn verbs_that_change_state_go_to_the_admin_socket_before_parsing() {
    for (args, admin) in [
        (&["reload"][..], true),
        (&["reload", "--no-such-option"], true),
        (&["reload", "--help"], false),
        (&["reload", "--", "--help"], true),
        (&["token"], false),
        (&["token", "reload"], false),
        (&["status"], false),
        (&["reject"], false),
        (&["no-such-verb"], false),
        (&[], false),
    ] {
        let run = run(args);
        assert_eq!(is_admin(&run), admin, "{args:?}");
        let changes = matches!(parse(&run), NextStep::Ask(Question::Reload(_)));
        assert!(admin || !changes, "{args:?}");
    }
}

#[test]
fn the_profile_comes_from_the_argument_or_else_the_environment() {
    let profile = |run: &Invocation| match asked(run) {
        Question::Token(query, _) => query.profile.map(|p| p.to_string()),
        _ => panic!("asks for no token"),
    };
    let mut with_env = run(&["token"]);
    assert_eq!(profile(&with_env), None);
    with_env.env.insert("JETON_PROFILE".into(), "ci".into());
    assert_eq!(profile(&with_env).as_deref(), Some("ci"));
    with_env.args.push("research".into());
    assert_eq!(profile(&with_env).as_deref(), Some("research"));
    with_env.args.pop();
    with_env.env.insert("JETON_PROFILE".into(), String::new());
    assert_eq!(profile(&with_env), None, "empty counts as unset");
}

/// Returns the line of a refused run.
fn refused(args: &[&str], exit: u8) -> String {
    let NextStep::Answer(Instruction::Done(reply)) = parse(&run(args)) else {
        panic!("{args:?} is refused");
    };
    assert_eq!((reply.exit, reply.stdout.len()), (exit, 0), "{args:?}");
    assert_eq!(reply.stderr.lines().count(), 1, "{args:?}");
    reply.stderr
}

/// Returns the text that a run prints without a query.
fn text(args: &[&str]) -> String {
    let NextStep::Answer(Instruction::Done(reply)) = parse(&run(args)) else {
        panic!("{args:?} is answered at once");
    };
    assert_eq!((reply.exit, reply.stderr.as_str()), (0, ""), "{args:?}");
    String::from_utf8(reply.stdout.to_vec()).unwrap()
}

/// Swaps two adjacent letters of a word.
fn misspelt(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let last = letters.len() - 1;
    letters.swap(last - 1, last - 2);
    letters.into_iter().collect()
}

#[test]
fn a_misspelt_verb_suggests_the_nearest_one_without_echoing_it() {
    for verb in all().map(|grammar| grammar.verb) {
        for word in [misspelt(verb), verb.to_uppercase(), format!("{verb}s")] {
            for args in [&[word.as_str()][..], &["help", &word]] {
                let line = refused(args, 64);
                assert!(line.contains(&format!("'{verb}'")), "{args:?}: {line}");
                assert!(!line.contains(&word), "{args:?}: {line}");
            }
        }
    }
    for (word, near) in [
        ("tokn", "'token'"),
        ("stat", "'status'"),
        ("tokentokentok", "the nearest is"),
        ("statusstatus", "the nearest is"),
        ("hunter2", "the nearest is"),
        ("", "the nearest is"),
        ("--toke", "the nearest is"),
    ] {
        let line = refused(&[word], 64);
        let is_near = near.starts_with('\'');
        assert_eq!(line.contains(near), is_near, "{word}: {line}");
    }
}

#[test]
fn a_misspelt_option_suggests_the_nearest_one_without_echoing_it() {
    for row in TABLE {
        for option in row.grammar.options {
            let word = misspelt(option.name);
            for word in [word.clone(), format!("{word}=1")] {
                let line = refused(&[row.grammar.verb, &word], 64);
                let near = format!("there is no such option; the nearest is {}; ", option.name);
                assert!(line.contains(&near), "{word}: {line}");
                assert!(!line.contains(&word), "{line}");
            }
        }
    }
    for word in ["--what", "-x", "--min-valid-or-longer", "--", "-"] {
        let line = refused(&["token", word, "x", "y"], 64);
        assert!(!line.contains("nearest"), "{word}: {line}");
    }
}

#[test]
fn an_invalid_value_names_the_option_and_its_allowed_values() {
    let mut seconds = 0;
    for row in TABLE {
        for option in row.grammar.options {
            let (verb, name) = (row.grammar.verb, option.name);
            let takes = format!("{name} takes {}; ", option.takes);
            let says = |args: &[&str], what: &str| {
                let line = refused(args, 64);
                assert!(line.contains(what), "{args:?}: {line}");
                assert!(!line.contains("abc!"), "{args:?}: {line}");
            };
            says(&[verb, &format!("{name}=abc!")], &takes);
            match option.takes {
                args::OptionArgument::Nothing => continue,
                args::OptionArgument::Seconds(max) => {
                    seconds += 1;
                    let above = (max.as_secs() + 1).to_string();
                    says(&[verb, name, &above], &takes);
                    says(&[verb, name, "-1"], &takes);
                    assert!(takes.contains(&format!("0 to {}", max.as_secs())));
                }
                args::OptionArgument::Word { .. } => {}
            }
            says(&[verb, name, "abc!"], &takes);
            says(&[verb, &format!("{name}=")], &takes);
            says(&[verb, name], &format!("{name} needs a value: "));
        }
    }
    assert!(seconds >= 6, "{seconds}");
}

#[test]
fn a_help_option_anywhere_among_the_arguments_prints_the_usage() {
    for grammar in all().map(|grammar| grammar.verb) {
        let usage = text(&["help", grammar]);
        assert!(
            usage.starts_with(&format!("usage: jeton {grammar}")),
            "{usage}"
        );
        assert_eq!(text(&["--help", grammar]), usage);
    }
    for verb in TABLE.iter().map(|row| row.grammar.verb) {
        let usage = text(&["help", verb]);
        for args in [
            &[verb, "--help"][..],
            &[verb, "-h"],
            &[verb, "research", "--help"],
            &[verb, "--help", "research", "more"],
            &[verb, "--no-such-option", "-h"],
            &[verb, "--min-valid", "--help"],
        ] {
            assert_eq!(text(args), usage, "{args:?}");
        }
        refused(&[verb, "--", "--help", "x"], 64);
    }
    let all = text(&["help"]);
    assert_eq!((text(&["--help"]), text(&["-h"])), (all.clone(), all));
    assert!(text(&["help", "--help"]).starts_with("usage: jeton help [VERB]"));
    refused(&["help", "token", "status"], 64);
}

#[test]
fn arguments_after_two_dashes_are_not_options() {
    let Question::Token(query, _) = asked(&run(&["token", "--", "research"])) else {
        panic!()
    };
    assert_eq!(query.profile.unwrap().as_str(), "research");
}

#[test]
fn a_program_name_selects_its_verb_and_gets_all_arguments() {
    let table = [
        Verb {
            program: Some("docker-credential-jeton"),
            ..verb(&header::GRAMMAR, header::parse)
        },
        verb(&token::GRAMMAR, token::parse),
    ];
    let run = |args: &[&str]| Invocation {
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        ..Invocation::default()
    };
    let found = |args: &[&str]| match find_among(&table.iter().collect::<Vec<_>>(), &run(args)) {
        MatchedRow::Program(verb, words) => format!("program {} {words:?}", verb.grammar.verb),
        MatchedRow::Verb(verb, words) => format!("verb {} {words:?}", verb.grammar.verb),
        MatchedRow::Help(words) => format!("help {words:?}"),
        MatchedRow::None(word) => format!("none {word:?}"),
    };
    for (args, what) in [
        (&["docker-credential-jeton"][..], "program header []"),
        (
            &["docker-credential-jeton", "token"],
            "program header [\"token\"]",
        ),
        (
            &["docker-credential-jeton", "help", "-h"],
            "program header [\"help\", \"-h\"]",
        ),
        (&["jeton", "header", "x"], "verb header [\"x\"]"),
        (&["jt", "token"], "verb token []"),
        (&["jeton", "help", "x"], "help [\"x\"]"),
        (
            &["jeton", "docker-credential-jeton"],
            "none Some(\"docker-credential-jeton\")",
        ),
        (&["jeton"], "none None"),
        (&[], "none None"),
    ] {
        assert_eq!(found(args), what, "{args:?}");
    }
}

#[test]
fn every_verb_is_unique() {
    for (at, row) in TABLE.iter().enumerate() {
        let verb = row.grammar.verb;
        let first = TABLE.iter().position(|other| other.grammar.verb == verb);
        assert_eq!(first, Some(at), "{verb}");
    }
}
