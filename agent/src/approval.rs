//! What agents ask permission for (SPEC 7): the policy that answers without a person, and the desk where what needs a
//! person waits. Neither has a clock. Where paths lead is looked up apart: that may take long.

mod denial;
mod desk;
mod lookout;
mod policy;
mod shown;

pub use denial::with_denial;
pub use desk::{Closed, Desk, Open, Refused};
pub use lookout::Lookout;
pub use policy::{BadRule, Policy, Verdict, choose};
pub use shown::shown;
