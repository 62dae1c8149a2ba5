//! A run whose program does not start for now, through no fault of its item's: it is held until it does.

use std::time::Duration;

use super::{Control, Controls, Failure, Report, Reporter};

/// Between the first two tries; the pause doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Holds one run.
pub(super) struct Hold {
    pause: Duration,
    /// What was reported last, unless the run has given way since, for which the report is to come anew.
    told: Option<String>,
}

impl Hold {
    /// Nothing holds the run.
    pub(super) fn new() -> Self {
        Self { pause: FIRST_PAUSE, told: None }
    }

    /// Waits until it is time for another try, or ends as the controls say. Meanwhile the run gives way as it is told.
    pub(super) async fn wait(
        &mut self,
        why: String,
        controls: &mut Controls,
        reporter: &Reporter,
    ) -> Result<(), Failure> {
        if self.told.as_ref() != Some(&why) {
            reporter.report(Report::HeldUp(Some(why.clone())));
            self.told = Some(why);
        }
        let control = tokio::select! {
            control = controls.next() => control,
            () = tokio::time::sleep(self.pause) => {
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                return Ok(());
            }
        };
        match control {
            Control::Suspend => {
                reporter.suspended();
                controls.until_resumed().await?;
                self.told = None;
                Ok(())
            }
            Control::Resume | Control::Answer(_) => Ok(()),
            Control::Cancel | Control::Terminate | Control::Kill => Err(Failure::cancelled()),
        }
    }

    /// The program has started.
    pub(super) fn over(self, reporter: &Reporter) {
        if self.told.is_some() {
            reporter.report(Report::HeldUp(None));
        }
    }
}
