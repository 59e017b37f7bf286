//! What a store holds, for tests that don't wait.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};

/// All objects below a name, by what their names have behind it.
///
/// # Panics
/// Where the store doesn't answer.
pub fn below(store: &dyn ObjectStore, name: &str) -> BTreeMap<String, Bytes> {
    let read = async {
        let (below, mut found) = (Path::from(name), BTreeMap::new());
        for meta in store.list(Some(&below)).try_collect::<Vec<_>>().await? {
            match store.get(&meta.location).await {
                Ok(answer) => drop(found.insert(meta.location.as_ref()[name.len() + 1..].to_owned(), answer.bytes().await?)),
                // Gone since: a program is at work.
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(read).expect("the store answers")
}
