//! The one table the blobs keep in the embedded engine: where each body lies. Written by the engine's writer, in its groups.

use std::sync::{Arc, mpsc};

use bytes::Bytes;

use super::{
    EngineError,
    embedded::{Core, Table, reading},
    writer::{Done, Job},
};

/// Rows to set or remove.
pub(crate) type Changes = Vec<(Bytes, Option<Bytes>)>;

/// A handle on it, which keeps the engine open.
#[derive(Clone)]
pub(crate) struct BlobTable {
    core: Arc<Core>,
}

impl BlobTable {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let found = self.core.tables.of(Table::Blobs).get(key);
        Ok(found.map_err(reading)?.map(Bytes::from))
    }

    /// Rows whose key begins with `prefix`, of one snapshot.
    pub(crate) fn prefix(
        &self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(Bytes, Bytes), EngineError>> + use<> {
        let rows = self.core.tables.of(Table::Blobs).prefix(prefix);
        rows.map(|guard| {
            let (key, value) = guard.into_inner().map_err(reading)?;
            Ok((key.into(), value.into()))
        })
    }

    /// Writes `changes` atomically; `done` is called on the engine's writer when they are durable. It must not wait.
    pub(crate) fn submit(&self, changes: Changes, done: Done) -> Result<(), EngineError> {
        self.core.send(Job::Blobs {
            rows: changes,
            done,
        })
    }

    /// Writes `changes` and waits until they are durable.
    pub(crate) fn write(&self, changes: Changes) -> Result<(), EngineError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let done = Box::new(move |result| drop(answer.send(result)));
        self.submit(changes, done)?;
        let lost = |_| EngineError::Unknown("the writer ended before it answered".into());
        answered.recv().map_err(lost)?
    }
}
