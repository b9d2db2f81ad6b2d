//! Where a publisher's files are read from: a folder, or with the feature `online` a web server.

use std::path::PathBuf;

use cli::exit::Context as _;
use cli::{CliError, Exit, durable};

#[cfg(feature = "online")]
pub mod http;
#[cfg(feature = "online")]
pub use http::post;

/// A mirror: what `streembit-publisher export` wrote.
#[derive(Debug)]
pub enum Source {
    /// On a disk.
    Folder(PathBuf),
    /// On a web server.
    #[cfg(feature = "online")]
    Http(http::Http),
}

impl Source {
    /// Opens a URL, or a folder.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`] if this program was built without the network.
    pub fn open(place: &str) -> Result<Self, CliError> {
        if !place.starts_with("http://") && !place.starts_with("https://") {
            return Ok(Self::Folder(PathBuf::from(place)));
        }
        #[cfg(feature = "online")]
        return http::Http::new(place).map(Self::Http);
        #[cfg(not(feature = "online"))]
        Err(
            CliError::new(Exit::Usage, "this program was built without the network")
                .hint("name a folder, or build with the feature online"),
        )
    }

    /// A file of at most `limit` bytes; `None` if it isn't there.
    ///
    /// * `path`: below the mirror; no part of it comes from outside unchecked.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Undecided`] naming it.
    pub fn file(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, CliError> {
        match self {
            Self::Folder(folder) => {
                let bytes = durable::read_if_there(&folder.join(path), limit);
                bytes.context(Exit::Undecided, "mirror")
            }
            #[cfg(feature = "online")]
            Self::Http(http) => http.file(path, limit),
        }
    }
}
