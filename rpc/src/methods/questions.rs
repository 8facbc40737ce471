//! What the client was asked and has not answered. A question that is taken out and dropped is a no.

use crate::message::error::{Kind, RpcError};
use crate::session::lock;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// The numbers of questions: of all sections together, none twice.
#[derive(Debug, Default)]
pub(crate) struct Numbers(AtomicU32);

/// The open questions of one section.
#[derive(Debug)]
pub(crate) struct Questions<Q>(Mutex<BTreeMap<u32, Q>>);

impl<Q> Default for Questions<Q> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl Numbers {
    pub(crate) fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }
}

impl<Q> Questions<Q> {
    /// Opens a question.
    pub(crate) fn open(&self, number: u32, question: Q) {
        lock(&self.0).insert(number, question);
    }

    /// Takes one out: to answer it, or because nobody wants the answer any more.
    pub(crate) fn take(&self, number: u32) -> Option<Q> {
        lock(&self.0).remove(&number)
    }

    /// Takes one out to answer it.
    pub(crate) fn answered(&self, number: u32) -> Result<Q, RpcError> {
        self.take(number).ok_or_else(|| {
            RpcError::failed(
                Kind::NotFound,
                format!("no answer is wanted to request {number}, or not any more"),
            )
        })
    }
}
