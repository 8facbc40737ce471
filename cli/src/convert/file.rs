//! A file that appears under its name only when it is whole.

use crate::failure::{Failure, Report};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A file in the making, beside its place. Dropped before [`keep`](Self::keep) it leaves nothing behind.
#[derive(Debug)]
pub struct Part {
    place: PathBuf,
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Part {
    /// Begins a file for this place. What stands there already stays until the new one is whole.
    pub fn create(place: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| unwritable(place, &error);
        if place.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let name = place.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let path = place.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed)?;
        Ok(Self { place: place.to_owned(), path, file, kept: false })
    }

    /// The file, to write to.
    pub fn open(&self) -> Result<File, Failure> {
        self.file.try_clone().map_err(|error| unwritable(&self.place, &error))
    }

    /// Puts it in its place.
    pub fn keep(mut self) -> Result<(), Failure> {
        std::fs::rename(&self.path, &self.place).map_err(|error| unwritable(&self.place, &error))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            // It may have been taken away already; there is nothing more to do.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn unwritable(place: &Path, error: &io::Error) -> Failure {
    let message = format!("writing {} failed: {error}", place.display());
    Failure::Failed(Report { kind: "io", message, ..Report::default() })
}
