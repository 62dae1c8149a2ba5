//! What an agent wants of its client: updates go to the run whose session they are about, requests for permission too,
//! and a file is written where the agent insists.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent_client_protocol::{Error, UntypedMessage, v1};
use hive_shared::paths::MARK;
use nix::fcntl::{OFlag, posix_fallocate};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::lines::LEFT_OUT;
use crate::untrusted;

/// What happens in a session.
#[derive(Debug)]
pub(super) enum Event {
    /// The agent tells something.
    Update(Value),
    /// The agent told something of so many bytes, which is too long to be taken.
    LeftOut(u64),
    /// The agent asks for permission.
    Asked(Value, v1::Responder),
    /// The agent does not want to know any more.
    Withdrawn(u64),
    /// The agent had us write a file.
    Wrote(String),
    /// The prompt is answered.
    Settled(Result<Value, Error>),
}

/// Where the messages of each session go.
#[derive(Debug)]
pub(super) struct Router {
    workdir: PathBuf,
    sessions: Mutex<HashMap<String, mpsc::UnboundedSender<Event>>>,
}

/// What comes from one session for as long as this lives. What comes at other times is dropped: nobody waits for it.
pub(super) struct Events {
    router: Arc<Router>,
    session: String,
    pub(super) sender: mpsc::UnboundedSender<Event>,
    receiver: mpsc::UnboundedReceiver<Event>,
}

impl Router {
    pub(super) fn new(workdir: PathBuf) -> Arc<Self> {
        Arc::new(Self { workdir, sessions: Mutex::default() })
    }

    pub(super) fn listen(self: &Arc<Self>, session: &str) -> Events {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.lock().insert(session.to_owned(), sender.clone());
        Events { router: Arc::clone(self), session: session.to_owned(), sender, receiver }
    }

    pub(super) fn notified(&self, message: UntypedMessage) {
        let (method, mut params) = message.into_parts();
        match method.as_str() {
            "session/update" => {
                if let Some(session) = self.session_of(&params) {
                    let _ = session.send(Event::Update(params["update"].take()));
                }
            }
            LEFT_OUT => self.left_out(&params),
            _ => tracing::trace!(method, "a notification that is not known"),
        }
    }

    /// Tells the session that something is missing, or all of them where it is not known which.
    fn left_out(&self, params: &Value) {
        let bytes = params["bytes"].as_u64().unwrap_or_default();
        for (session, sender) in &*self.lock() {
            if params["sessionId"].as_str().is_none_or(|named| named == session) {
                let _ = sender.send(Event::LeftOut(bytes));
            }
        }
    }

    /// Must not wait: nothing else comes from the agent meanwhile.
    pub(super) fn asked(&self, message: UntypedMessage, responder: v1::Responder) -> Result<(), Error> {
        let (method, params) = message.into_parts();
        let session = self.session_of(&params);
        match (method.as_str(), session) {
            ("session/request_permission", Some(session)) => {
                match session.send(Event::Asked(params, responder)) {
                    Err(mpsc::error::SendError(Event::Asked(_, responder))) => responder.respond(cancelled()),
                    Ok(()) | Err(_) => Ok(()),
                }
            }
            ("session/request_permission", None) => responder.respond(cancelled()),
            // Not offered; one agent calls it all the same.
            ("fs/write_text_file", Some(session)) => {
                let workdir = self.workdir.clone();
                tokio::task::spawn_blocking(move || {
                    let answer = match write(&workdir, &params) {
                        Ok(path) => {
                            let _ = session.send(Event::Wrote(path));
                            responder.respond(json!({}))
                        }
                        Err(error) => {
                            tracing::warn!(%error, "the agent wanted a file written");
                            responder.respond_with_error(Error::invalid_params().data(error.to_string()))
                        }
                    };
                    // It fails when the agent is gone.
                    drop(answer);
                });
                Ok(())
            }
            (method, _) => {
                tracing::debug!(method, "the agent wants something that is not offered");
                responder.respond_with_error(Error::method_not_found())
            }
        }
    }

    fn session_of(&self, params: &Value) -> Option<mpsc::UnboundedSender<Event>> {
        self.lock().get(params["sessionId"].as_str()?).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, mpsc::UnboundedSender<Event>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events {
    /// May be dropped half-way without losing any.
    pub(super) async fn next(&mut self) -> Event {
        match self.receiver.recv().await {
            Some(event) => event,
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    pub(super) fn waiting(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        {
            let mut sessions = self.router.lock();
            // Somebody else may listen by now.
            if sessions.get(&self.session).is_some_and(|sender| sender.same_channel(&self.sender)) {
                sessions.remove(&self.session);
            }
        }
        while let Some(event) = self.waiting() {
            if let Event::Asked(_, responder) = event {
                let _ = responder.respond(cancelled());
            }
        }
    }
}

/// The answer to a request for permission that nobody decides any more.
pub(super) fn cancelled() -> Value {
    json!({"outcome": {"outcome": "cancelled"}})
}

/// Writes a file as `fs/write_text_file` asks, if it lies inside the working directory.
fn write(workdir: &Path, params: &Value) -> io::Result<String> {
    let invalid = |message: &str| io::Error::new(io::ErrorKind::InvalidInput, message.to_owned());
    let path = params["path"].as_str().ok_or_else(|| invalid("a path is missing"))?;
    let content = params["content"].as_str().ok_or_else(|| invalid("the content is missing"))?;
    let target = target(workdir, path)?;
    let directory = target.parent().ok_or_else(|| invalid("the path has no directory"))?;
    std::fs::create_dir_all(directory)?;
    write_in_place(&target, content.as_bytes())?;
    Ok(path.to_owned())
}

/// Makes this the content of a file that may be there already. It stays the same file, with its owner, mode and other
/// names, as when the agent's own tools write it; and nothing lies beside it that a kill would leave there.
fn write_in_place(path: &Path, content: &[u8]) -> io::Result<()> {
    // Whatever came to stand there meanwhile: no link is followed, and no pipe waited for.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut options = File::options();
    let mut file = options.write(true).create(true).truncate(false).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    // A full disk is found before anything is overwritten.
    let (length, wanted) = (metadata.len(), content.len() as u64);
    if wanted > length
        && let Err(error) = posix_fallocate(&file, offset(length), offset(wanted - length))
    {
        file.set_len(length)?;
        return Err(error.into());
    }
    file.write_all(content)?;
    file.set_len(wanted)
}

/// A place in a file, as the system calls have it: content in memory is never beyond.
fn offset(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Where a file may be written: inside the working directory, and of the hive's own files there only to its tasks, which
/// agents tick off. Who writes its settings runs whatever they like.
fn target(workdir: &Path, path: &str) -> io::Result<PathBuf> {
    let inside = untrusted::inside(workdir, Path::new(path))?;
    let the_hives = inside.components().position(|part| part == Component::Normal(MARK.as_ref()));
    let is_open = the_hives.is_none_or(|at| {
        let below: PathBuf = inside.components().skip(at + 1).collect();
        below.starts_with("hive/tasks")
    });
    if inside.as_os_str().is_empty() || !is_open {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not the agent's to write"));
    }
    Ok(workdir.canonicalize()?.join(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_inside_the_working_directory_only() {
        let place = tempfile::tempdir().unwrap();
        let (work, other) = (place.path().join("work"), place.path().join("other"));
        std::fs::create_dir_all(work.join("real")).unwrap();
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("kept.txt"), "kept").unwrap();
        std::os::unix::fs::symlink(&other, work.join("out")).unwrap();
        std::os::unix::fs::symlink(work.join("real"), work.join("in")).unwrap();
        std::os::unix::fs::symlink(other.join("kept.txt"), work.join("link.txt")).unwrap();
        std::os::unix::fs::symlink(other.join("nothing"), work.join("dangling.txt")).unwrap();
        let put = |path: &str| write(&work, &json!({"path": path, "content": "new"}));

        for path in ["a.txt", "new/deep/b.txt", "in/c.txt", ".deia/hive/tasks/BOT-1/T.md"] {
            put(path).unwrap();
            assert_eq!(std::fs::read_to_string(work.join(path)).unwrap(), "new");
        }
        put(work.join("abs.txt").to_str().unwrap()).unwrap();
        let elsewhere = other.join("x.txt");
        for path in [
            "../other/x.txt",
            ".deia/hive.toml",
            "out/x.txt",
            "link.txt",
            "dangling.txt",
            "real/../../other/x.txt",
            ".",
            "",
        ]
        .into_iter()
        .chain(elsewhere.to_str())
        {
            assert!(put(path).is_err(), "{path}");
        }
        assert_eq!(std::fs::read_to_string(other.join("kept.txt")).unwrap(), "kept");
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_written_stays_the_same_file() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

        let place = tempfile::tempdir().unwrap();
        let work = place.path().canonicalize().unwrap();
        let (file, other_name) = (work.join("run.sh"), work.join("other name"));
        std::fs::write(&file, "a long one that was there before").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o750)).unwrap();
        std::fs::hard_link(&file, &other_name).unwrap();
        let inode = std::fs::metadata(&file).unwrap().ino();
        for content in ["short", "", &"much longer than what was there before".repeat(1_000)] {
            write(&work, &json!({"path": "run.sh", "content": content})).unwrap();
            assert_eq!(std::fs::read_to_string(&other_name).unwrap(), content);
        }
        let now = std::fs::metadata(&file).unwrap();
        assert_eq!((now.ino(), now.permissions().mode() & 0o777), (inode, 0o750));
        assert_eq!(std::fs::read_dir(&work).unwrap().count(), 2, "nothing is left beside it");

        std::os::unix::fs::symlink(&file, work.join("link")).unwrap();
        nix::unistd::mkfifo(&work.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for no_file in ["link", "pipe", "."] {
            assert!(write_in_place(&work.join(no_file), b"x").is_err(), "{no_file}");
        }
    }
}
