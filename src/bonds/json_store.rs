//! Bonds in files, one for each adapter.

use super::{BondStore, ImportError, StoreError, Stored, json, private};
use crate::Address;
use crate::smp::{Bond, Identity};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most that is read of a file, and written to one: some thousand bonds.
const LIMIT: u64 = 4 << 20;

/// Keeps bonds in a directory, in a JSON file for each adapter ([`json`] says what is in it).
///
/// - Nobody else has access: the directory is made with mode 0700, files with 0600, and what is found otherwise, belongs to
///   somebody else or is a link is refused. That is of Unix; on other systems the directory should be in the user's own
///   folder, as [`Self::default_directory`] is.
/// - A file is replaced in one step, and when a method returns, the new one is on the disk. A process that is killed, a full
///   disk or the loss of power leaves the old one or the new one.
/// - A file that is not understood is an error, and stays as it is.
/// - Several processes may use one directory: none loses what another has saved. They do not learn of it, though, before
///   they load again; an adapter is opened by one of them at a time anyway.
///
/// ```
/// use baretooth::bonds::{BondStore, JsonStore};
/// # let directory = std::env::temp_dir().join(format!("baretooth-doc-{}", std::process::id()));
/// let mut store = JsonStore::new(&directory);
/// assert!(store.load("00:11:22:33:44:55/public".parse()?)?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonStore {
    directory: PathBuf,
    patience: Duration,
    limit: u64,
}

impl JsonStore {
    /// A store in this directory, which is made when something is saved.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), patience: Duration::from_secs(5), limit: LIMIT }
    }

    /// Where programs keep what shall last: `$XDG_STATE_HOME/baretooth`, else `~/.local/state/baretooth`; on Windows
    /// `%LOCALAPPDATA%\baretooth`. Nothing if the environment does not say.
    pub fn default_directory() -> Option<PathBuf> {
        default_directory(|name| env::var_os(name))
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The adapters that there are files for.
    ///
    /// # Errors
    /// When the directory is not our own, or cannot be read.
    pub fn adapters(&self) -> Result<Vec<Address>, StoreError> {
        if !private::check_directory(&self.directory)? {
            return Ok(Vec::new());
        }
        let names = std::fs::read_dir(&self.directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let names = names.map_err(|cause| StoreError::Io {
            operation: "list",
            path: self.directory.clone(),
            cause,
        })?;
        let mut adapters: Vec<_> =
            names.iter().filter_map(|entry| adapter_of(entry.file_name().to_str()?)).collect();
        adapters.sort();
        Ok(adapters)
    }

    /// As `00-11-22-33-44-55-public.json`: there are systems where a name has no colon.
    fn file(&self, adapter: Address) -> PathBuf {
        let bits = adapter.bd_addr.to_string().replace(':', "-");
        self.directory.join(format!("{bits}-{}.json", adapter.kind))
    }

    fn read(&self, adapter: Address) -> Result<Option<Stored>, StoreError> {
        let path = self.file(adapter);
        let Some(octets) = private::read(&path, self.limit)? else { return Ok(None) };
        let text = str::from_utf8(&octets).map_err(|_| ImportError::new("the file", "no UTF-8"));
        match text.and_then(json::import) {
            Ok((of, stored)) if of == adapter => Ok(Some(stored)),
            Ok(_) => {
                let cause = ImportError::new("adapter", "another one than in the name of the file");
                Err(StoreError::NotUnderstood { path, cause })
            }
            Err(cause) => Err(StoreError::NotUnderstood { path, cause }),
        }
    }

    /// Reads the file anew, for another process may have changed it, and writes what is made of it.
    fn change(
        &self,
        adapter: Address,
        change: impl FnOnce(Option<Stored>) -> Result<Option<Stored>, StoreError>,
    ) -> Result<(), StoreError> {
        private::make_directory(&self.directory)?;
        let lock = private::lock(&self.directory.join("lock"), self.patience)?;
        let before = self.read(adapter)?;
        let after = change(before.clone())?;
        if let Some(stored) = after.filter(|after| before.as_ref() != Some(after)) {
            let path = self.file(adapter);
            let text = json::export(adapter, &stored);
            if u64::try_from(text.len()).map_or(true, |length| length > self.limit) {
                return Err(StoreError::TooLarge { path, limit: self.limit });
            }
            private::replace(&path, text.as_bytes())?;
        }
        drop(lock);
        Ok(())
    }
}

impl BondStore for JsonStore {
    fn load(&mut self, adapter: Address) -> Result<Option<Stored>, StoreError> {
        if private::check_directory(&self.directory)? { self.read(adapter) } else { Ok(None) }
    }

    fn save_identity(&mut self, adapter: Address, identity: &Identity) -> Result<(), StoreError> {
        self.change(adapter, |stored| {
            let bonds = stored.map(|stored| stored.bonds).unwrap_or_default();
            Ok(Some(Stored { identity: identity.clone(), bonds }))
        })
    }

    fn save(&mut self, adapter: Address, bond: &Bond) -> Result<(), StoreError> {
        self.change(adapter, |stored| {
            let mut stored = stored.ok_or(StoreError::UnknownAdapter(adapter))?;
            stored.put(bond);
            Ok(Some(stored))
        })
    }

    fn remove(&mut self, adapter: Address, peer: Address) -> Result<(), StoreError> {
        if !private::check_directory(&self.directory)? {
            return Ok(());
        }
        self.change(adapter, |mut stored| {
            if let Some(stored) = &mut stored {
                stored.forget(peer);
            }
            Ok(stored)
        })
    }
}

/// Whose file has this name.
fn adapter_of(name: &str) -> Option<Address> {
    let (bits, kind) = name.strip_suffix(".json")?.rsplit_once('-')?;
    format!("{}/{kind}", bits.replace('-', ":")).parse().ok()
}

/// By an environment. What is no absolute path does not count, as the specification of these folders has it.
fn default_directory(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else {
        folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))
    };
    Some(state?.join("baretooth"))
}

#[cfg(all(test, unix))]
mod tests;
