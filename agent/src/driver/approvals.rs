//! What agents ask permission for (SPEC 7).

use super::Driver;
use crate::adapter::{Answer, Control, Question};
use crate::coordinator::{Reply, RunId};
use crate::store::StoreError;

impl Driver {
    /// An agent asks. Until there is a policy, the answer is no.
    #[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)]
    pub(super) fn asked(&mut self, run: RunId, question: Question) -> Result<Option<Reply>, StoreError> {
        let no = question.options.iter().find(|option| option.kind == "reject_once");
        let option = no.map(|option| option.id.clone());
        self.control(run, Control::Answer(Answer { key: question.key, option }));
        Ok(None)
    }

    /// An agent does not want to know any more.
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    pub(super) fn unasked(&mut self, _run: RunId, _key: u64) -> Result<Option<Reply>, StoreError> {
        Ok(None)
    }
}
