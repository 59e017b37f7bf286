//! Checkpoints of other stores: what they hold is copied, so that the other store may go.

use wasmill_flow::Epoch;

use super::Store;
use crate::error::CheckpointError;
use crate::manifest::{JobFacts, Manifest};
use crate::part::StateObject;

impl Store {
    /// Copies every state file of a checkpoint in another store into this one, each verified on its way; the manifest as it is here, of the job of
    /// this name. It isn't written, and the files are named after `first`, the epoch that it will be written as. Takes the memory of one file.
    ///
    /// # Errors
    /// Those of [`Self::read_object`] in the other store, and of [`ObjectWriter::finish`](super::ObjectWriter::finish) in this one.
    pub async fn adopt(&self, from: &Self, manifest: &Manifest, first: Epoch, job: &str) -> Result<Manifest, CheckpointError> {
        let mut adopted =
            Manifest { job: JobFacts { name: job.to_owned(), ..manifest.job.clone() }, owner: 0, ..manifest.clone() };
        for (operator, chains) in &mut adopted.operators {
            for (chain, task) in chains.iter_mut().zip(0..) {
                let mut copies: Option<StateObject> = None;
                for file in chain.files() {
                    let bytes = from.read_object(manifest.epoch, operator, file).await?;
                    let mut copy = self.object(first, operator, task);
                    copy.write(bytes);
                    let copy = copy.finish(chain.groups()).await?;
                    copies = Some(match copies {
                        None => copy,
                        Some(base) => base.followed_by(&copy),
                    });
                }
                if let Some(copies) = copies {
                    *chain = copies;
                }
            }
        }
        Ok(adopted)
    }
}
