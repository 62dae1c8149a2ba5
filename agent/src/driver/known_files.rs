//! The task files that are known, by name.

use std::collections::HashMap;
use std::sync::Arc;

use hive_shared::ids::ItemId;

use crate::file_id::{FileId, Fingerprint};

/// How many strayed files are remembered.
const MAX_STRAYED: usize = 4_096;

/// Those of live tasks, and those of ended ones until the inbox says that they are gone. So a file that the inbox read
/// before it was archived is not taken for a new one.
#[derive(Debug, Default)]
pub(super) struct KnownFiles {
    by_name: HashMap<Arc<str>, KnownFile>,
    names: HashMap<FileId, Arc<str>>,
    /// The files of tasks that have ended and that were not found under their names then: their agents may have
    /// renamed them in the last moment.
    strayed: HashMap<FileId, ItemId>,
}

#[derive(Debug, Clone)]
pub(super) struct KnownFile {
    pub(super) fingerprint: Fingerprint,
    pub(super) id: ItemId,
    /// It was not there when the inbox last looked.
    pub(super) missing: bool,
}

impl KnownFiles {
    /// What the inbox need not read again.
    pub(super) fn fingerprints(&self) -> HashMap<String, Fingerprint> {
        self.by_name.iter().map(|(name, file)| (name.to_string(), file.fingerprint)).collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&KnownFile> {
        self.by_name.get(name)
    }

    /// Whose a file is that strayed from its name.
    pub(super) fn strayed(&self, file: FileId) -> Option<&ItemId> {
        self.strayed.get(&file)
    }

    /// The name under which the very same file was known.
    pub(super) fn old_name(&self, file: FileId) -> Option<&str> {
        self.names.get(&file).map(|name| &**name)
    }

    pub(super) fn insert(&mut self, name: &str, fingerprint: Fingerprint, id: ItemId) {
        let name: Arc<str> = name.into();
        self.names.insert(fingerprint.file, Arc::clone(&name));
        self.by_name.insert(name, KnownFile { fingerprint, id, missing: false });
    }

    /// A file is there, or it is not. Returns whose it is.
    pub(super) fn mark_missing(&mut self, name: &str, missing: bool) -> Option<ItemId> {
        let known = self.by_name.get_mut(name)?;
        known.missing = missing;
        Some(known.id.clone())
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some(file) = self.by_name.remove(name) {
            let id = file.fingerprint.file;
            if self.names.get(&id).is_some_and(|other| **other == *name) {
                self.names.remove(&id);
            }
        }
    }

    /// Forgets a name, and remembers whose file it was.
    pub(super) fn stray(&mut self, name: &str) {
        if let Some(file) = self.by_name.get(name) {
            if self.strayed.len() >= MAX_STRAYED {
                self.strayed.clear();
            }
            self.strayed.insert(file.fingerprint.file, file.id.clone());
        }
        self.remove(name);
    }

    /// A name is that of another task's file from now on, if it was this one's.
    pub(super) fn forget(&mut self, name: &str, id: &ItemId) {
        if self.by_name.get(name).is_some_and(|file| file.id == *id) {
            self.remove(name);
        }
    }

    /// The task's file is in the archive: what comes after is another file.
    pub(super) fn archived(&mut self, id: &ItemId) {
        self.strayed.retain(|_, stray| stray != id);
    }
}
