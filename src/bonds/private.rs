//! Files that hold keys: nobody but their owner may have access to one or to its directory, and whatever happens while
//! one is replaced, the old or the new one is there, whole.
//!
//! Who owns what is asked of Unix alone. Other systems give what lies in a user's own folder to that user by default, and
//! nothing here looks whether that has been changed.

use super::StoreError;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// Makes a directory that is ours alone, with those above it; what is there already has to be so.
pub(super) fn make_directory(path: &Path) -> Result<(), StoreError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    system::for_us_alone(&mut builder);
    // A link to a directory is found by the check, as all else that may be there.
    if let Err(cause) = builder.create(path)
        && cause.kind() != ErrorKind::AlreadyExists
    {
        return Err(failed("make", path, cause));
    }
    check_directory(path).map(|_| ())
}

/// Whether there is such a directory.
pub(super) fn check_directory(path: &Path) -> Result<bool, StoreError> {
    let metadata = match fs::symlink_metadata(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(false),
        found => found.map_err(|cause| failed("look at", path, cause))?,
    };
    if !metadata.is_dir() {
        return Err(StoreError::NotPlain { path: path.to_owned(), wanted: "directory" });
    }
    system::check(path, &metadata, 0o700)?;
    Ok(true)
}

/// A whole file, unless there is none.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true);
    let file = match open(&mut options, path) {
        Err(StoreError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let length = file.metadata().map_err(|cause| failed("look at", path, cause))?.len();
    let too_large = || StoreError::TooLarge { path: path.to_owned(), limit };
    // One octet more tells that it is read to its end, and the text never moves, which would leave keys behind.
    let capacity = usize::try_from(length.min(limit)).map_err(|_| too_large())?.saturating_add(1);
    let mut octets = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(limit.saturating_add(1))
        .read_to_end(&mut octets)
        .map_err(|cause| failed("read", path, cause))?;
    if u64::try_from(octets.len()).is_ok_and(|length| length <= limit) {
        Ok(Some(octets))
    } else {
        Err(too_large())
    }
}

/// Writes a file in the place of the one that is there. Only who holds the lock of the directory may.
pub(super) fn replace(path: &Path, contents: &[u8]) -> Result<(), StoreError> {
    let temporary = path.with_extension("json.tmp");
    // What a process that was killed has left: nobody else is writing now.
    match fs::remove_file(&temporary) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(failed("remove", &temporary, cause)),
        _ => {}
    }
    let written = write_new(&temporary, contents)
        .and_then(|()| fs::rename(&temporary, path).map_err(|cause| failed("replace", path, cause)));
    if written.is_err() {
        // It holds keys. That it cannot be removed is not the error to tell of.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    let directory = path.parent().unwrap_or(Path::new("."));
    system::sync_directory(directory).map_err(|cause| failed("write", directory, cause))
}

/// Keeps others who ask for the same lock out until it is dropped, or waits for them.
///
/// # Errors
/// When one of them has it for longer than `patience`.
pub(super) fn lock(path: &Path, patience: Duration) -> Result<File, StoreError> {
    const PAUSE: Duration = Duration::from_millis(5);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = open(&mut options, path)?;
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(cause)) => return Err(failed("lock", path, cause)),
            Err(TryLockError::WouldBlock) if waited >= patience => {
                return Err(StoreError::Locked { path: path.to_owned() });
            }
            Err(TryLockError::WouldBlock) => {
                // A store may block, and the other process holds the lock while it writes one file.
                #[allow(clippy::disallowed_methods)]
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
        }
    }
}

fn write_new(path: &Path, contents: &[u8]) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = open(&mut options, path)?;
    file.write_all(contents).map_err(|cause| failed("write", path, cause))?;
    file.sync_all().map_err(|cause| failed("write", path, cause))
}

/// Opens a file that is ours alone, or makes it so.
fn open(options: &mut OpenOptions, path: &Path) -> Result<File, StoreError> {
    system::no_link(options);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(cause) if system::was_link(&cause) => {
            return Err(StoreError::NotPlain { path: path.to_owned(), wanted: "file" });
        }
        Err(cause) => return Err(failed("open", path, cause)),
    };
    let metadata = file.metadata().map_err(|cause| failed("look at", path, cause))?;
    if !metadata.is_file() {
        return Err(StoreError::NotPlain { path: path.to_owned(), wanted: "file" });
    }
    system::check(path, &metadata, 0o600)?;
    Ok(file)
}

fn failed(operation: &'static str, path: &Path, cause: io::Error) -> StoreError {
    StoreError::Io { operation, path: path.to_owned(), cause }
}

#[cfg(unix)]
mod system {
    use super::StoreError;
    use nix::fcntl::OFlag;
    use nix::unistd::geteuid;
    use std::fs::{DirBuilder, File, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
    use std::path::Path;

    pub(super) fn for_us_alone(builder: &mut DirBuilder) {
        builder.mode(0o700);
    }

    /// A pipe that somebody has put there is not waited for.
    pub(super) fn no_link(options: &mut OpenOptions) {
        options.mode(0o600).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    }

    pub(super) fn was_link(cause: &io::Error) -> bool {
        cause.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32)
    }

    pub(super) fn check(path: &Path, metadata: &Metadata, wanted: u32) -> Result<(), StoreError> {
        let (path, owner, mode) = (path.to_owned(), metadata.uid(), metadata.mode() & 0o7777);
        if owner != geteuid().as_raw() {
            Err(StoreError::NotOurs { path, owner })
        } else if mode & 0o077 != 0 {
            Err(StoreError::NotPrivate { path, mode, wanted })
        } else {
            Ok(())
        }
    }

    pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

#[cfg(not(unix))]
mod system {
    use super::StoreError;
    use std::fs::{DirBuilder, Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    pub(super) fn for_us_alone(_: &mut DirBuilder) {}

    pub(super) fn no_link(_: &mut OpenOptions) {}

    pub(super) fn was_link(_: &io::Error) -> bool {
        false
    }

    pub(super) fn check(_: &Path, _: &Metadata, _: u32) -> Result<(), StoreError> {
        Ok(())
    }

    pub(super) fn sync_directory(_: &Path) -> io::Result<()> {
        Ok(())
    }
}
