//! The built-in adapter.

use super::*;

#[tokio::test]
async fn echo_gives_the_instruction_back() {
    for delay in [Duration::ZERO, Duration::from_micros(1)] {
        let instruction = format!(
            "  one\t two\n\n{} ende ",
            "drei€ ".repeat(10_000 / (1 + delay.subsec_micros() as usize * 999))
        );
        let mut subject = start(Echo { delay }, &instruction);
        assert_eq!(subject.ended().await, Ok(()));
        assert_eq!(subject.text(), instruction);
    }
}

#[tokio::test]
async fn echo_pauses_between_words() {
    let mut subject = start(Echo { delay: Duration::from_hours(1) }, "one\ntwo");
    subject.said_line("one").await;
    subject.suspended().await;
    subject.run.control(Control::Suspend);
    subject.run.control(Control::Resume);
    subject.run.control(Control::Resume);
    subject.run.control(Control::Cancel);
    assert!(subject.ended().await.is_err());
    assert_eq!(subject.text(), "one\n");
    subject.run.control(Control::Kill);
}
