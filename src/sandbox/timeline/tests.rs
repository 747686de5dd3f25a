use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_timeline_is_parsed_line_by_line() {
    let text = "# an outage\n\n0 status:503\n  10\thang  \r\n10 none\n12.5 raw:{\"a b\": 1} # c\n";
    let raw = Fault::parse("raw:{\"a b\": 1} # c").unwrap();
    assert_eq!(
        Timeline::parse(text).unwrap().steps(),
        [
            (Duration::ZERO, Some(Fault::Status(503))),
            (SECOND * 10, Some(Fault::Hang)),
            (SECOND * 10, None),
            (Duration::from_millis(12_500), Some(raw)),
        ]
    );
    assert_eq!(Timeline::parse("# nothing\n"), Ok(Timeline::default()));
}

#[test]
fn a_fault_in_a_timeline_is_reported_with_its_line() {
    for (text, line, why) in [
        ("hang", 1, InvalidStep::Shape),
        ("1 hang\n2", 2, InvalidStep::Shape),
        ("x hang", 1, InvalidStep::Seconds),
        ("-1 hang", 1, InvalidStep::Seconds),
        ("NaN hang", 1, InvalidStep::Seconds),
        ("604801 hang", 1, InvalidStep::Seconds),
        ("# \n\n2 hang\n1 none\n", 4, InvalidStep::Order),
        ("1 Hang", 1, InvalidStep::Fault(InvalidFault::Unknown)),
        ("1 hang:", 1, InvalidStep::Fault(InvalidFault::NoArgument)),
        (
            &"1 none\n".repeat(MAX_STEPS + 1),
            MAX_STEPS + 1,
            InvalidStep::TooMany,
        ),
    ] {
        let invalid = Timeline::parse(text).unwrap_err();
        assert_eq!(invalid, InvalidTimeline { line, why }, "{invalid}");
        assert!(invalid.to_string().starts_with(&format!("line {line}: ")));
    }
}

#[test]
fn timeline_steps_are_sorted_by_time_and_the_sort_is_stable() {
    let timeline = Timeline::new([
        (SECOND * 2, None),
        (SECOND, Some(Fault::Hang)),
        (SECOND, Some(Fault::Html)),
    ]);
    let expected = [
        (SECOND, Some(Fault::Hang)),
        (SECOND, Some(Fault::Html)),
        (SECOND * 2, None),
    ];
    assert_eq!(timeline.steps(), expected);
}
