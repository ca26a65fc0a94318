//! Opens what the settings name.

use std::sync::Arc;

use trefoil_store::{LimitStore, MemoryLimits, MetadataStore};

use super::settings::{Place, Settings};
use crate::failure::{Exit, Failure};
use crate::files;

/// A store and the buckets of its limits.
pub(super) struct OpenedStore {
    pub(super) metadata: Arc<dyn MetadataStore>,
    pub(super) limits: Arc<dyn LimitStore>,
}

pub(super) async fn open_store(settings: &Settings) -> Result<OpenedStore, Failure> {
    match &settings.place {
        Place::Directory(directory) => {
            files::private_directory(directory)?;
            let metadata = crate::local::open_store(directory.clone()).await?;
            // No second process has the directory open.
            let limits = Arc::new(MemoryLimits::default());
            Ok(OpenedStore { metadata, limits })
        }
        Place::Database(_) => Err(Failure::new(
            Exit::Usage,
            "bad_settings",
            "database: PostgreSQL is not built into this version yet; name a directory with data",
        )),
    }
}
