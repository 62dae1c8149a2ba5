//! What becomes of prompts that are not answered when the person leaves.

use super::person::Talk;
use crate::error::Exit;
use crate::output::ink::Ink;

impl Talk {
    /// Says what leaving would mean for them.
    pub(super) fn warn(&mut self) {
        let lost = self.turns.unsent();
        let mut warnings = Vec::new();
        if lost > 0 {
            let (prompts, are) = plural(lost, "is", "are");
            warnings.push(format!("{prompts} {are} not sent yet, and {are} lost if you leave"));
        }
        if self.turns.len() > lost {
            let what = unanswered(self.turns.len() - lost);
            warnings.push(format!("{what}: {} cancels it about 10 s after you left", self.bot));
        }
        self.notice(&format!("{}; Ctrl-D again leaves", warnings.join("; ")));
    }

    /// Says what leaving meant for them, and gives the exit status: nobody who left a prompt that is lost is done.
    pub(super) fn farewell(&mut self, exit: Exit) -> Exit {
        self.above.extend(self.turns.leave());
        let lost = self.turns.unsent();
        let sent = self.turns.len() - lost;
        if sent > 0 && !self.is_quiet {
            let text = format!("{}; {} cancels it in about 10 s", unanswered(sent), self.bot);
            self.above.extend(self.look.laid_out(&text, Ink::dim));
        }
        if lost == 0 {
            return exit;
        }
        let (prompts, were) = plural(lost, "was", "were");
        let (_, are) = plural(lost, "is", "are");
        let text = format!("✗ {prompts} {were} not sent, and {are} lost");
        self.above.extend(self.look.laid_out(&text, Ink::red));
        if exit == Exit::Done { Exit::Failed } else { exit }
    }
}

fn unanswered(count: usize) -> String {
    let (prompts, are) = plural(count, "is", "are");
    format!("{prompts} {are} not answered")
}

/// So many prompts, and the form of a verb that goes with them.
fn plural(count: usize, one: &'static str, many: &'static str) -> (String, &'static str) {
    if count == 1 { ("1 prompt".to_owned(), one) } else { (format!("{count} prompts"), many) }
}
