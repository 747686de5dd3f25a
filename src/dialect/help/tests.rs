use super::short;
use crate::dialect::call::NextStep;
use crate::dialect::parse;
use crate::dialect::setups::SETUPS;
use crate::dialect::testing::run;
use crate::dialect::verb;
use crate::wire::frame::Instruction;

fn text(args: &[&str]) -> String {
    match parse(&run(args)) {
        NextStep::Answer(Instruction::Done(reply)) => {
            String::from_utf8(reply.stdout.to_vec()).unwrap()
        }
        _ => panic!("{args:?} is answered at once"),
    }
}

/// A companion that finds no daemon prints the short text. `JETON_RECORD=1` writes the file.
#[test]
fn the_companion_has_the_same_help_text() {
    const FILE: &str = "src/bin/jeton/help.txt";
    let (folder, text) = (env!("CARGO_MANIFEST_DIR"), short(verb::own()));
    let path = std::path::Path::new(folder).join(FILE);
    #[expect(
        clippy::disallowed_methods,
        reason = "this variable is a switch for the tests"
    )]
    if std::env::var_os("JETON_RECORD").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let has = std::fs::read_to_string(&path).unwrap();
    assert!(
        has == text,
        "JETON_RECORD=1 cargo test --lib the_companion_has_the_same_help_text writes {FILE}:\n{text}"
    );
}

#[test]
fn help_names_every_verb_and_fits_80_columns() {
    let all = text(&["help"]);
    for verb in verb::all().map(|grammar| grammar.verb) {
        let usage = text(&["help", verb]);
        let does = usage.split("\n\n").nth(1).unwrap().lines().next().unwrap();
        assert!(all.contains(&format!("\n  {verb}")), "{verb}");
        assert!(all.contains(does), "{verb}: {does}");
        for line in all.lines().chain(usage.lines()) {
            assert!(line.chars().count() <= 80, "{verb}: {line}");
        }
    }
}

#[test]
fn help_lists_every_setup_recipe_by_its_purpose() {
    let all = text(&["help"]);
    for (name, wants) in SETUPS {
        assert!(all.contains(&format!("\n  {name:<20}{wants}\n")), "{name}");
    }
    assert!(short(verb::own()).contains("jetond setup"));
}

#[test]
fn a_usage_text_lists_every_option_and_its_argument() {
    let usage = text(&["help", "token"]);
    assert_eq!(
        usage,
        "\
usage: jeton token [PROFILE] [--bearer | --json] [--for CLIENT]
       [--min-valid S] [--max-wait S]

print the token

  --bearer            print 'Bearer TOKEN', the value of the header
  --json              print the token and all that is known about it, as JSON
  --for CLIENT        require a token that is valid while CLIENT keeps it:
                      claude-code, codex, dvc or rclone
  --min-valid S       require a token that stays valid for S more seconds:
                      seconds from 0 to 86400, such as 30 or 0.5
  --max-wait S        wait at most S seconds for the token (5):
                      seconds from 0 to 60, such as 30 or 0.5

'jeton help' lists all verbs and the options common to them
"
    );
    for grammar in verb::all() {
        for option in grammar.options {
            let word = format!("{} {}", option.name, option.takes.placeholder());
            assert!(grammar.usage.contains(word.trim_end()), "{word}");
        }
        let named = grammar.usage.matches("--").count() - grammar.usage.matches("-- ").count();
        assert_eq!(named, grammar.options.len(), "{}", grammar.usage);
    }
}
