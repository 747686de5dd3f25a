//! Tests of the arguments, the confirmation and the printed steps of `jeton rotate`.

use super::*;
use crate::dialect::testing::*;
use crate::dialect::{is_admin, parse};
use crate::wire::frame::Instruction;

fn step(name: &'static str, until: Option<u64>, end: Option<StepEnd>) -> RotationEvent {
    RotationEvent::Step(StepReply {
        profile: "research".into(),
        step: name,
        detail: "the issuer said \u{1b}[2J".into(),
        key: Some("jeton-research-0a".into()),
        until,
        since: None,
        code: None,
        end,
    })
}

fn shown(run: &Invocation, news: &RotationEvent) -> String {
    let Question::Rotate(_, print) = asked(run) else {
        panic!("asks for no rotation")
    };
    let reply = print.print(news, around());
    assert_eq!((reply.exit, reply.stderr.as_str()), (0, ""));
    String::from_utf8(reply.stdout.to_vec()).unwrap()
}

#[test]
fn rotate_arguments_select_the_rotation_and_need_the_admin_socket() {
    let query = |args: &[&str]| {
        let run = run(args);
        assert!(is_admin(&run), "{args:?}");
        match asked(&run) {
            Question::Rotate(query, _) => query,
            _ => panic!("asks for no rotation"),
        }
    };
    let name = |text| Some(ProfileName::parse(text).unwrap());
    assert_eq!(query(&["rotate"]), RotateQuery::default());
    assert_eq!(
        query(&[
            "rotate",
            "ci",
            "--wait",
            "--finish",
            "--take-over",
            "--with=admin"
        ]),
        RotateQuery {
            profile: name("ci"),
            finish: true,
            take_over: true,
            with: name("admin"),
            wait: true,
            in_place: false,
        }
    );
    assert!(query(&["rotate", "ci", "--in-place", "--yes"]).in_place);
    assert!(!is_admin(&run(&["rotate", "--help"])));
}

#[test]
fn an_in_place_rotation_needs_the_typed_profile_name() {
    let args = ["rotate", "ci", "--in-place"];
    let refusal = |run: &Invocation| match parse(run) {
        NextStep::Answer(Instruction::Done(reply)) => (reply.exit, reply.stderr),
        _ => panic!("is not refused"),
    };
    let (exit, why) = refusal(&run(&args));
    assert_eq!(exit, 64);
    assert!(why.contains("add --yes"), "{why}");

    let mut typed = run(&args);
    (typed.terminal.input, typed.terminal.error) = (true, true);
    let NextStep::Confirm(query, prompt) = parse(&typed) else {
        panic!("does not ask")
    };
    assert!(query.in_place && query.profile.is_some_and(|it| it.as_str() == "ci"));
    assert!(prompt.contains("old secret of ci"), "{prompt}");
    for (line, goes_on) in [
        ("ci\n", true),
        ("ci", true),
        ("y\n", false),
        ("\n", false),
        ("ci2\n", false),
    ] {
        typed.stdin = Some(line.into());
        assert_eq!(
            matches!(parse(&typed), NextStep::Ask(_)),
            goes_on,
            "{line:?}"
        );
    }
    let mut nameless = run(&["rotate", "--in-place"]);
    nameless.terminal = typed.terminal;
    assert_eq!(refusal(&nameless).0, 64);
    for bad in [
        &["rotate", "--yes"][..],
        &["rotate", "ci", "--in-place", "--yes", "--finish"],
        &["rotate", "--with", "No Name"],
    ] {
        assert_eq!(refusal(&run(bad)).0, 64, "{bad:?}");
    }
}

#[test]
fn rotate_json_prints_one_json_line_per_step() {
    let run = run(&["rotate", "--json"]);
    assert_eq!(
        shown(&run, &step("waiting", Some(1_800_003_600), None)),
        "{\"profile\":\"research\",\"step\":\"waiting\",\"detail\":\"the issuer said \\u001b[2J\",\
         \"key\":\"jeton-research-0a\",\"until\":1800003600}\n"
    );
    let last = shown(&run, &step("ended", None, Some(StepEnd::NeedsHuman)));
    assert!(last.ends_with(",\"end\":\"needs_human\"}\n"), "{last}");
    assert_eq!(shown(&run, &RotationEvent::Quiet), "");
}

#[test]
fn rotate_prints_one_line_per_step_and_a_bar_on_a_terminal() {
    let mut run = run(&["rotate"]);
    let waiting = step("waiting", Some(1_800_003_600), None);
    let text = "waiting: the issuer said ?[2J (for 1 h)\n";
    assert_eq!(shown(&run, &waiting), text);
    let RotationEvent::Step(step_of) = &waiting else {
        panic!("it is a step")
    };
    for (since, until, times) in [
        (
            Some(1_799_999_940),
            Some(1_800_000_004),
            " (since 1 min, next try in 4 s)",
        ),
        (
            Some(1_800_000_000),
            Some(1_800_000_004),
            " (next try in 4 s)",
        ),
        // It is past where the steps are shown once more.
        (None, Some(1_799_999_999), ""),
    ] {
        let step = StepReply {
            since,
            until,
            ..step_of.clone()
        };
        let says = format!("waiting: the issuer said ?[2J{times}\n");
        assert_eq!(shown(&run, &RotationEvent::Step(step)), says);
    }
    run.terminal.output = true;
    assert_eq!(shown(&run, &waiting), format!("#######... {text}"));
    run.env.insert("TERM".into(), "xterm".into());
    assert_eq!(shown(&run, &waiting), format!("███████░░░ {text}"));
    for (end, bar) in [
        (StepEnd::Done, "██████████ "),
        (StepEnd::Kept, "██████████ "),
        (StepEnd::Failed, "░░░░░░░░░░ "),
        (StepEnd::NeedsHuman, "░░░░░░░░░░ "),
    ] {
        let line = shown(&run, &step("ended", None, Some(end)));
        assert!(line.starts_with(bar), "{line}");
    }
    assert!(shown(&run, &step("undoing", None, None)).starts_with("░░░░░░░░░░ "));
}
