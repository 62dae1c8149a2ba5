//! A bounded look at the files, for who cannot wait: some of the items, whatever the number of files.

use std::path::Path;
use std::time::{Duration, Instant};

use hive_shared::api::TaskView;
use hive_shared::paths::Hive;
use hive_shared::response::{self, ResponseHeader};

use super::Files;
use super::history::head;
use super::queue::is_task_name;

/// How many files of a directory are opened at most.
const MOST_READ: usize = 200;
/// How long a directory's names are read. A hundred thousand take about half of it.
const READING: Duration = Duration::from_millis(120);
/// What a response document's file name ends with.
const RESPONSE: &str = "-response.md";

impl Files {
    /// Tasks that wait, in no order: all of them, unless they are many; then some whose file's name begins with
    /// `begins`.
    pub fn some_waiting(&self, begins: &str) -> Vec<TaskView> {
        let dir = self.hive.tasks(&self.bot);
        let names = some_names(&dir, begins, is_task_name);
        let read = names.iter().filter_map(|name| self.read_task(&dir.join(name)).ok().flatten());
        read.map(|queued| queued.view).collect()
    }
}

/// What the responses of a hive say of themselves, the latest first, under the same bounds.
pub fn some_answered(hive: &Hive, begins: &str) -> Vec<ResponseHeader> {
    let dir = hive.responses();
    let names = some_names(&dir, begins, |name| name.ends_with(RESPONSE));
    let mut headers: Vec<_> = names
        .iter()
        .filter_map(|name| {
            let document = head(&dir.join(name), 0).ok()?;
            response::read(&document).ok().map(|(header, _)| header)
        })
        .collect();
    headers.sort_by_key(|header| std::cmp::Reverse(header.timestamp));
    headers
}

/// The names of some files, at most [`MOST_READ`].
fn some_names(dir: &Path, begins: &str, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let began = Instant::now();
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .take_while(|_| began.elapsed() < READING)
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| fits(name))
        .collect();
    if names.len() > MOST_READ {
        names.retain(|name| name.starts_with(begins));
        // Ids that bots and people give rise with time.
        names.sort_unstable_by(|a, b| b.cmp(a));
        names.truncate(MOST_READ);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::tests::files;
    use super::*;

    #[test]
    fn of_many_files_some_are_looked_at() {
        let (_dir, files) = files();
        let tasks = files.hive.tasks(&files.bot);
        for n in 0..MOST_READ {
            std::fs::write(tasks.join(format!("A-{n:04}.md")), "Do it.").unwrap();
        }
        assert_eq!(files.some_waiting("").len(), MOST_READ);
        assert_eq!(files.some_waiting("B").len(), MOST_READ, "all are few");
        std::fs::write(tasks.join("B-1.md"), "Do that.").unwrap();
        assert_eq!(files.some_waiting("").len(), MOST_READ);
        let found: Vec<_> = files.some_waiting("B").iter().map(|task| task.task_id.to_string()).collect();
        assert_eq!(found, ["B-1"]);
    }
}
