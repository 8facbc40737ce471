//! What goes wrong with stored bonds. No message repeats what was read.

use crate::Address;
use std::io;
use std::path::PathBuf;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {operation} {}: {cause}", path.display())]
    Io {
        /// What was tried: `open`, `write` and so on.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Others than the owner have access, so the keys may be known, or somebody else's.
    #[error(
        "others have access to {path} (mode {mode:04o}), which holds keys; \
         if nobody has used that: chmod {wanted:o} {path}",
        path = path.display()
    )]
    NotPrivate {
        /// File or directory.
        path: PathBuf,
        /// The permissions that it has.
        mode: u32,
        /// The most that it may have.
        wanted: u32,
    },
    /// Another user could change it at will.
    #[error("{} belongs to another user (number {owner}); bonds are kept in what is our own", path.display())]
    NotOurs {
        /// File or directory.
        path: PathBuf,
        /// The user's number.
        owner: u32,
    },
    /// It is a link, a device or something else that could be anywhere.
    #[error("{} is no {wanted} but a link or something else; name the {wanted} itself", path.display())]
    NotPlain {
        /// What is there.
        path: PathBuf,
        /// `file` or `directory`.
        wanted: &'static str,
    },
    /// The file is not understood. It is left as it is.
    #[error("{} is left as it is, for it is not understood: {cause}; repair it, or move it away to begin anew", path.display())]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: ImportError,
    },
    /// The file would be larger than the store reads.
    #[error("{} would have more than {limit} octets: too many bonds", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it may have.
        limit: u64,
    },
    /// Another process keeps the store to itself.
    #[error("another process has kept {} locked for too long", path.display())]
    Locked {
        /// The file by which it does.
        path: PathBuf,
    },
    /// A bond is saved of an adapter whose identity is not.
    #[error("nothing is stored for the adapter {0}: its identity comes first")]
    UnknownAdapter(Address),
    /// Whatever else a store may be made of.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

/// A text that does not hold bonds, or not in a way that is known here: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ImportError {
    place: String,
    reason: &'static str,
}

impl ImportError {
    pub(super) fn new(place: impl Into<String>, reason: &'static str) -> Self {
        Self { place: place.into(), reason }
    }
}
