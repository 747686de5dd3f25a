use super::super::call::{Answer, Item, Operation};
use super::*;
use crate::profile::ProfileName;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// Makes a call in a process that runs this script.
fn make(script: &'static [&'static str; 2], limit: Duration, record: &[u8]) -> Outcome {
    let process = Process {
        program: Ok("/bin/sh".into()),
        first: script,
        limit,
    };
    process.make(Call {
        operation: Operation::Save,
        item: Item::Record,
        profile: &ProfileName::parse("a").unwrap(),
        content: record,
    })
}

fn fault(outcome: &Outcome) -> &KeyringFault {
    match &outcome.result {
        Err(fault) => fault,
        Ok(_) => panic!("there is no fault"),
    }
}

#[test]
fn record_and_answer_pass_through_pipes_of_the_keyring_process() {
    let echo = &[
        "-c",
        "printf '\\001\\003'; printf '%s %s ' \"$1\" \"$2\"; cat",
    ];
    // More than a pipe's buffer.
    let record: Vec<u8> = vec![b'x'; 65_500];
    let outcome = make(echo, LONG, &record);
    assert!(outcome.begun);
    let expected = [b"save a ", &*record].concat();
    assert!(matches!(outcome.result, Ok(Answer::Secret(secret)) if *secret == expected));
}

#[test]
fn a_hanging_keyring_process_is_killed_at_the_timeout() {
    let record = vec![b'x'; 65_500];
    for (script, begun) in [
        (&["-c", "exec sleep 600"], false),
        (&["-c", "printf '\\001'; exec sleep 600"], true),
        // Answers without reading its input.
        (&["-c", "printf '\\001\\002'; exec sleep 600"], true),
    ] {
        let mut limit = Duration::from_millis(300);
        let mut outcome = make(script, limit, &record);
        // A loaded machine may take longer than that to start the shell.
        while outcome.begun != begun && limit < LONG / 4 {
            limit *= 4;
            outcome = make(script, limit, &record);
        }
        assert_eq!(*fault(&outcome), KeyringFault::Timeout, "{script:?}");
        assert_eq!(outcome.begun, begun, "{script:?}");
    }
}

#[test]
fn a_keyring_process_that_closes_its_output_is_killed_early() {
    let outcome = make(&["-c", "exec >&-; exec sleep 600"], LONG, &[b'x'; 65_500]);
    let why = fault(&outcome);
    assert!(matches!(why, KeyringFault::Process(_)), "{why:?}");
    assert!(!outcome.begun);
}

#[test]
fn a_keyring_process_that_exits_without_an_answer_is_a_fault() {
    for (script, begun, why) in [
        (
            &["-c", "kill -ABRT $$"],
            false,
            "was ended by signal: 6 (SIGABRT)",
        ),
        (
            &["-c", "printf '\\001'; kill -ABRT $$"],
            true,
            "was ended by signal: 6",
        ),
        (
            &["-c", "exit 101"],
            false,
            "ended without an answer (exit status: 101)",
        ),
        (&["-c", "cat; cat"], false, "ended without an answer"),
        (
            &["-c", "exec head -c 99999 /dev/zero"],
            false,
            "answered too much",
        ),
    ] {
        let outcome = make(script, LONG, b"canary");
        let KeyringFault::Process(what) = fault(&outcome) else {
            panic!("{:?}", fault(&outcome));
        };
        assert!(what.starts_with(why) && !what.contains("canary"), "{what}");
        assert_eq!(outcome.begun, begun, "{script:?}");
    }
}

#[test]
fn a_process_that_cannot_be_started_is_a_fault() {
    for program in [
        Ok("/nonexistent/jetond".into()),
        Err(ErrorKind::NotFound.into()),
    ] {
        let process = Process {
            program,
            first: &[],
            limit: LONG,
        };
        let outcome = process.make(Call {
            operation: Operation::Load,
            item: Item::Record,
            profile: &ProfileName::parse("a").unwrap(),
            content: b"",
        });
        let shown = fault(&outcome).to_string();
        assert!(
            shown.starts_with("the process that asks it cannot be started"),
            "{shown}"
        );
        assert!(!outcome.begun);
    }
}
