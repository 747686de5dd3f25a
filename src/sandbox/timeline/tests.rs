use super::*;
use crate::credential::ClientSecret;
use crate::sandbox::issuer::Issuer;
use crate::sandbox::moment::Moment;
use crate::sandbox::{Line, Options};

const SECOND: Duration = Duration::from_secs(1);

/// A panel whose timelines are followed, and whose port needs nothing done.
fn panel() -> Panel {
    let options = Options::new(Line::V2_24, "app", ClientSecret::parse("s").unwrap());
    let issuer = Issuer::new(options, String::new(), Moment::now());
    let (looks, mut looked_for) = mpsc::channel(1);
    let (timelines, planned) = mpsc::channel(1);
    let panel = Panel::new(issuer, None, looks, timelines);
    tokio::spawn(run(panel.clone(), planned));
    tokio::spawn(async move {
        while let Some(done) = looked_for.recv().await {
            let _ = done.send(Ok(()));
        }
    });
    panel
}

#[test]
fn a_text_is_read_line_by_line() {
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
fn what_is_wrong_is_told_with_its_line() {
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
fn steps_in_any_order_are_put_in_order_and_those_of_one_moment_stay_as_they_are() {
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

#[tokio::test(start_paused = true)]
async fn each_fault_is_in_force_from_its_time_on_and_not_before() {
    let panel = panel();
    let fault = || panel.issuer().switch.fault().cloned();
    let text = "0 html\n10 hang\n20 refuse\n20 none\n30 garbage";
    panel.play(Timeline::parse(text).unwrap()).await.unwrap();
    let start = Moment::now().mono;
    assert_eq!(fault(), Some(Fault::Html));
    for (millis, expected) in [
        (9_990, Some(Fault::Html)),
        (10_010, Some(Fault::Hang)),
        (19_990, Some(Fault::Hang)),
        (20_010, None),
        (29_990, None),
        (30_010, Some(Fault::Garbage)),
    ] {
        tokio::time::sleep_until(start + Duration::from_millis(millis)).await;
        assert_eq!(fault(), expected, "at {millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_timeline_ends_the_one_before_and_leaves_its_fault() {
    let panel = panel();
    let fault = || panel.issuer().switch.fault().cloned();
    panel
        .play(Timeline::parse("0 html\n10 hang").unwrap())
        .await
        .unwrap();
    panel
        .play(Timeline::parse("20 garbage").unwrap())
        .await
        .unwrap();
    tokio::time::sleep(SECOND * 15).await;
    assert_eq!(fault(), Some(Fault::Html));
    tokio::time::sleep(SECOND * 15).await;
    assert_eq!(fault(), Some(Fault::Garbage));
    panel.play(Timeline::default()).await.unwrap();
    assert_eq!(fault(), Some(Fault::Garbage));
}
