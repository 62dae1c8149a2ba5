//! Commands that are given several items, and do the same to each: cancel, retry.

use serde::Serialize;

use crate::error::{Exit, Failure};
use crate::fleet::ItemRef;
use crate::output::{Format, Printer};

/// Does it to each in turn, tells what came of it, and goes on where one fails. Of one it prints an object, of several
/// an array.
pub(super) async fn run<T: Serialize>(
    items: &[ItemRef],
    act: impl AsyncFn(&ItemRef, &mut Printer) -> Result<T, Failure>,
    words: impl Fn(&T) -> String,
    out: &mut Printer,
) -> Result<Exit, Failure> {
    if let [item] = items {
        let done = act(item, out).await?;
        out.one(&done, words);
        return Ok(Exit::Done);
    }
    let mut done = Vec::new();
    let mut exits = Vec::new();
    for item in items {
        match act(item, out).await {
            Ok(result) => done.push(result),
            Err(failure) => {
                let name = &item.id;
                exits.push(out.failure(&Failure { message: format!("{name}: {failure}"), ..failure }));
            }
        }
    }
    match out.format() {
        Format::Table => out.result(&done.iter().map(words).collect::<String>()),
        Format::Json => out.one(&done, |_| String::new()),
        Format::Ndjson => done.iter().for_each(|result| out.json_line(result)),
    }
    Ok(Exit::of_many(exits))
}
