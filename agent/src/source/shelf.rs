//! Where files of evidence are taken from: where the metadata came from.

use cli::exit::Context as _;
use cli::{CliError, Exit, durable};
use manifests::catalog::Catalog;
use manifests::digest::Sha256;
use manifests::evidence::names;
use manifests::limits::LOG_VIEW_BYTES_MAX;
use node::blocks::partial::Partial;

use protocol::exchange::tree::Blob;

use super::Sources;
use super::mirror::Mirror;
use crate::device::Device;

/// A source of small files.
#[derive(Clone, Copy, Debug)]
pub enum Shelf<'a> {
    /// The catalog that peers brought.
    Catalog(&'a Catalog),
    /// A mirror.
    Mirror(&'a Mirror),
}

impl Shelf<'_> {
    /// A file of a release.
    ///
    /// * `image`: SHA-256 of what it is about.
    /// * `subject`: the target's name.
    ///
    /// # Errors
    /// [`CliError`] if the mirror doesn't answer.
    pub async fn file(
        &self,
        image: &Sha256,
        subject: &str,
        file: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, CliError> {
        match self {
            Self::Catalog(catalog) => {
                let bytes = catalog.file(&names::in_catalog(image, file));
                Ok(bytes.map(<[u8]>::to_vec))
            }
            Self::Mirror(mirror) => {
                mirror
                    .small_file(&names::on_mirror(subject, file), limit)
                    .await
            }
        }
    }

    /// The log's newest checkpoint, and how the log has grown of late.
    ///
    /// # Errors
    /// [`CliError`] if the mirror doesn't answer.
    pub async fn view(&self, limit: u64) -> Result<Option<Vec<u8>>, CliError> {
        match self {
            Self::Catalog(catalog) => Ok(catalog.file(names::VIEW).map(<[u8]>::to_vec)),
            Self::Mirror(mirror) => mirror.small_file(names::VIEW_ON_MIRROR, limit).await,
        }
    }

    /// The same from every size, where it is kept apart.
    ///
    /// # Errors
    /// [`CliError`] if nobody has it.
    pub async fn whole_view(
        &self,
        device: &Device,
        sources: &Sources,
    ) -> Result<Option<Vec<u8>>, CliError> {
        let Self::Catalog(catalog) = self else {
            return Ok(None);
        };
        let name = catalog
            .file(names::WHOLE_VIEW)
            .and_then(|name| str::from_utf8(name).ok());
        let limit = u64::try_from(LOG_VIEW_BYTES_MAX).unwrap_or(u64::MAX);
        let blob = name
            .and_then(Blob::from_address)
            .filter(|blob| blob.size <= limit);
        let Some(blob) = blob else {
            return Ok(None);
        };
        let path = device.blob_path(&blob);
        let partial = Partial::open(blob, &path, &device.tree_path(&blob));
        let partial = partial.context(Exit::No, "view of the log")?;
        sources.fetch(&partial, async || Ok(()), |_| {}).await?;
        let bytes = durable::read(&path, limit).context(Exit::No, "view of the log")?;
        device.remove_blob(&blob).context(Exit::No, "data folder")?;
        Ok(Some(bytes))
    }
}
