//! The watcher: what the kernel tells about the directories, put into the mailbox as hints.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::statfs::{self, FsType};
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::files::is_task_name;
use super::mailbox::{Mailbox, Notice, NoticeKind};

/// The directories that are watched. The paths are absolute, as the watcher's events name them.
#[derive(Debug, Clone)]
pub(super) struct Places {
    tasks: Option<PathBuf>,
    controls: PathBuf,
    /// The directories that hold those two: they tell when one of them comes or goes.
    parents: Vec<PathBuf>,
    /// What the names of this bot's control files begin with.
    control_prefix: String,
}

impl Places {
    /// Makes the paths absolute; fails if there is no working directory that relative ones could be meant from.
    pub(super) fn new(tasks: Option<&Path>, controls: &Path, bot: &str) -> io::Result<Self> {
        let tasks = tasks.map(std::path::absolute).transpose()?;
        let controls = std::path::absolute(controls)?;
        let both = tasks.iter().chain([&controls]);
        let mut parents: Vec<PathBuf> = both.filter_map(|dir| dir.parent()).map(Path::to_owned).collect();
        parents.dedup();
        Ok(Self { tasks, controls, parents, control_prefix: format!("{bot}-") })
    }

    /// The task directory, if it is read at all.
    pub(super) fn tasks(&self) -> Option<&Path> {
        self.tasks.as_deref()
    }

    /// The directories whose content matters.
    fn inner(&self) -> impl Iterator<Item = &Path> {
        self.tasks.iter().chain([&self.controls]).map(PathBuf::as_path)
    }

    fn is_watched(&self, path: &Path) -> bool {
        self.inner().any(|dir| dir == path) || self.parents.iter().any(|dir| dir == path)
    }
}

/// Why the kernel's word is not enough.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    /// There is no watcher to be had.
    #[error(
        "file notifications cannot be had ({0}; fs.inotify.max_user_instances and max_user_watches limit them)"
    )]
    Unavailable(notify::Error),
    /// A directory cannot be watched.
    #[error("{dir} cannot be watched ({error})")]
    Directory {
        /// Which one.
        dir: PathBuf,
        /// Why.
        error: notify::Error,
    },
}

/// A watcher at work; dropping it ends it.
pub(super) struct Watch {
    _watcher: Option<RecommendedWatcher>,
    /// The name of a file system that does not tell of changes made elsewhere.
    pub(super) silent: Option<&'static str>,
}

impl Watch {
    /// Watches all places. A task or control directory that is not there is no error: the parent tells when it comes.
    pub(super) fn start(places: &Places, mailbox: &Arc<Mailbox>) -> Result<Self, WatchError> {
        let mut watcher = notify::recommended_watcher({
            let (places, mailbox) = (places.clone(), Arc::clone(mailbox));
            move |event| deliver(event, &places, &mailbox)
        })
        .map_err(WatchError::Unavailable)?;
        // The parents first: a directory that is replaced before it is watched itself is told of by its parent.
        for dir in &places.parents {
            watch(&mut watcher, dir)?;
        }
        for dir in places.inner() {
            match watch(&mut watcher, dir) {
                Err(WatchError::Directory { error, .. }) if says_missing(&error) => {}
                other => other?,
            }
        }
        let silent = places.inner().find_map(silent_file_system);
        Ok(Self { _watcher: Some(watcher), silent })
    }

    /// One that tells nothing.
    #[cfg(test)]
    pub(super) fn deaf() -> Self {
        Self { _watcher: None, silent: None }
    }
}

fn watch(watcher: &mut RecommendedWatcher, dir: &Path) -> Result<(), WatchError> {
    watcher.watch(dir, RecursiveMode::NonRecursive).map_err(|mut error| {
        error.paths.clear();
        WatchError::Directory { dir: dir.to_owned(), error }
    })
}

fn says_missing(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(e) => super::files::is_missing(e),
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_)
        | notify::ErrorKind::MaxFilesWatch => false,
    }
}

/// Runs on the watcher's thread: it only sorts and posts.
fn deliver(event: notify::Result<Event>, places: &Places, mailbox: &Mailbox) {
    match event {
        Err(e) => mailbox.watcher_failed(e.to_string()),
        Ok(event) if event.need_rescan() => mailbox.lost_events(),
        Ok(event) => match sort(&event, places) {
            None => {}
            Some(News::File(notice)) => mailbox.notice(notice),
            Some(News::Control) => mailbox.controls(),
            Some(News::Directory) => mailbox.structure(),
        },
    }
}

/// What an event is about.
#[derive(Debug, PartialEq, Eq)]
enum News {
    File(Notice),
    Control,
    Directory,
}

fn sort(event: &Event, places: &Places) -> Option<News> {
    let kind = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => NoticeKind::Closed,
        // Our own reading is access too. A rename within the directory was told of as two events already.
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return None,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => NoticeKind::Removed,
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_)) => NoticeKind::Writing,
        EventKind::Modify(_) | EventKind::Any | EventKind::Other => NoticeKind::Touched,
    };
    let path = event.paths.first()?;
    if places.is_watched(path) {
        return Some(News::Directory);
    }
    let (dir, name) = (path.parent()?, path.file_name()?);
    if Some(dir) == places.tasks() && is_task_name(name.as_bytes()) {
        return Some(News::File(notice(name, kind)));
    }
    let ours = name.as_bytes().starts_with(places.control_prefix.as_bytes());
    (dir == places.controls && ours).then_some(News::Control)
}

fn notice(name: &OsStr, kind: NoticeKind) -> Notice {
    match name.to_str() {
        Some(name) => Notice { name: name.to_owned(), kind },
        None => Notice { name: name.to_string_lossy().into_owned(), kind: NoticeKind::NotUtf8 },
    }
}

/// The name of the file system of `dir`, if others may change files there without our kernel knowing.
fn silent_file_system(dir: &Path) -> Option<&'static str> {
    const SILENT: [(FsType, &str); 10] = [
        (statfs::NFS_SUPER_MAGIC, "NFS"),
        (statfs::SMB_SUPER_MAGIC, "SMB"),
        (FsType(0xFF53_4D42), "CIFS"),
        (FsType(0xFE53_4D42), "SMB2"),
        (statfs::FUSE_SUPER_MAGIC, "FUSE"),
        (FsType(0x0102_1997), "9P"),
        (FsType(0x00C3_6400), "Ceph"),
        (statfs::AFS_SUPER_MAGIC, "AFS"),
        (statfs::CODA_SUPER_MAGIC, "Coda"),
        (FsType(0x786F_4256), "vboxsf"),
    ];
    let found = statfs::statfs(dir).ok()?.filesystem_type();
    SILENT.iter().find(|(kind, _)| *kind == found).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, MetadataKind, RemoveKind};

    use super::*;

    fn sorted(kind: EventKind, path: &str) -> Option<News> {
        let places =
            Places::new(Some(Path::new("/h/tasks/BOT-1")), Path::new("/h/controls"), "BOT-1").unwrap();
        sort(&Event::new(kind).add_path(PathBuf::from(path)), &places)
    }

    #[test]
    fn events_of_task_files_become_notices() {
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        for (event, kind) in [
            (closed, NoticeKind::Closed),
            (EventKind::Modify(ModifyKind::Name(RenameMode::To)), NoticeKind::Closed),
            (EventKind::Modify(ModifyKind::Name(RenameMode::From)), NoticeKind::Removed),
            (EventKind::Remove(RemoveKind::File), NoticeKind::Removed),
            (EventKind::Create(CreateKind::File), NoticeKind::Writing),
            (EventKind::Modify(ModifyKind::Data(DataChange::Any)), NoticeKind::Writing),
            (EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), NoticeKind::Touched),
        ] {
            let expected = News::File(Notice { name: "a.md".to_owned(), kind });
            assert_eq!(sorted(event, "/h/tasks/BOT-1/a.md"), Some(expected));
            for other in
                ["/h/tasks/BOT-1/.a.md", "/h/tasks/BOT-1/a.tmp", "/h/tasks/BOT-2/a.md", "/h/tasks/a.md"]
            {
                assert_eq!(sorted(event, other), None, "{other}");
            }
        }
    }

    #[test]
    fn our_own_reading_wakes_nobody() {
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        for path in ["/h/tasks/BOT-1/a.md", "/h/tasks/BOT-1", "/h/controls/BOT-1-PAUSE", "/h/controls"] {
            assert_eq!(sorted(open, path), None, "{path}");
        }
    }

    #[test]
    fn controls_of_this_bot_and_the_directories_themselves() {
        let made = EventKind::Create(CreateKind::File);
        assert_eq!(sorted(made, "/h/controls/BOT-1-PAUSE"), Some(News::Control));
        assert_eq!(sorted(made, "/h/controls/BOT-10-PAUSE"), None);
        for dir in ["/h/tasks/BOT-1", "/h/tasks", "/h/controls", "/h"] {
            assert_eq!(sorted(EventKind::Remove(RemoveKind::Folder), dir), Some(News::Directory), "{dir}");
        }
        assert_eq!(sorted(made, "/h/tasks/BOT-2"), None);
    }
}
