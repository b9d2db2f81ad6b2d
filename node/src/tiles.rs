//! Tiles and entry bundles of a log in a folder, by the paths of C2SP tlog-tiles. Each is written once, and never with
//! other bytes. A publisher's log is kept so, and what a mirror holds of it.

use std::io;
use std::path::{Path, PathBuf};

use cli::durable::{self, Access, PathError};
use tlog::edge::{Edge, EdgeError};
use tlog::hash::Hash;
use tlog::limits::BUNDLE_BYTES_MAX;
use tlog::tile::{Bundle, Tile, TileError};
use tlog::tree::Tiles;

/// Why tiles or bundles can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Not readable or not writable.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Not what the place holds.
    #[error("a tile or bundle of the log is damaged")]
    Tile(#[from] TileError),
    /// It is there with other bytes: two histories are being mixed.
    #[error("{0} is there already, with other content: is the log an old copy?")]
    Changed(String),
    /// Tiles that fit no tree.
    #[error(transparent)]
    Edge(#[from] EdgeError),
}

/// The folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// Tiles and bundles below `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The edge of the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`FilesError`].
    fn edge(&self, size: u64) -> Result<Edge, FilesError> {
        let tiles = Tile::partial_of(size).map(|tile| Ok((tile, self.tile(tile)?)));
        Ok(Edge::new(size, tiles.collect::<Result<_, FilesError>>()?)?)
    }

    /// The bytes of the bundle that the next entry goes into.
    ///
    /// # Errors
    /// [`FilesError`].
    fn partial_bundle(&self, size: u64) -> Result<Vec<u8>, FilesError> {
        let Some(bundle) = Bundle::of(size >> 8, size) else {
            return Ok(Vec::new());
        };
        let mut bytes = Vec::new();
        for entry in self.entries(bundle)? {
            Bundle::push(&mut bytes, &entry)?;
        }
        Ok(bytes)
    }

    /// The entries of a bundle.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn entries(&self, bundle: Bundle) -> Result<Vec<Vec<u8>>, FilesError> {
        let paths = [bundle.to_string(), bundle.full().to_string()];
        let bytes = self.read(paths, BUNDLE_BYTES_MAX)?;
        let entries = bundle.decode(&bytes)?;
        Ok(entries.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// Whether a tile says these hashes.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn check_tile(&self, tile: Tile, hashes: &[Hash]) -> Result<(), FilesError> {
        if self.tile(tile)? == hashes {
            return Ok(());
        }
        let path = self.folder.join(tile.to_string());
        Err(FilesError::Changed(path.display().to_string()))
    }

    /// Writes a tile, durably.
    ///
    /// # Errors
    /// [`FilesError`].
    fn put_tile(&self, tile: Tile, hashes: &[Hash]) -> Result<(), FilesError> {
        self.put(&tile.to_string(), &Tile::encode(hashes))
    }

    /// Writes a bundle, durably.
    ///
    /// # Errors
    /// [`FilesError`].
    fn put_bundle(&self, bundle: Bundle, bytes: &[u8]) -> Result<(), FilesError> {
        self.put(&bundle.to_string(), bytes)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), FilesError> {
        let path = self.folder.join(name);
        let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match durable::read_if_there(&path, limit) {
            Ok(Some(there)) if there == bytes => {
                // Whoever renamed it may have been killed before the folder was synced.
                let synced = durable::sync_folder_of(&path);
                return synced.map_err(|error| PathError::new(&path, error).into());
            }
            Ok(None) => {}
            Ok(Some(_)) => return Err(FilesError::Changed(path.display().to_string())),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(FilesError::Changed(path.display().to_string()));
            }
            Err(error) => return Err(error.into()),
        }
        if let Some(folder) = path.parent()
            && !folder.is_dir()
        {
            durable::create_folder(folder)?;
        }
        Ok(durable::replace(&path, bytes, Access::World)?)
    }

    /// The first of two files that is there: a full tile takes the place of a partial one.
    fn read(&self, [partial, full]: [String; 2], limit: usize) -> Result<Vec<u8>, FilesError> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let (partial, full) = (self.folder.join(partial), self.folder.join(full));
        match durable::read(&partial, limit) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && partial != full => {
                Ok(durable::read(&full, limit)?)
            }
            result => Ok(result?),
        }
    }
}

/// A tree that grows in a folder. Full tiles and bundles are written as they come; what is durable counts as part of the
/// tree once [`Growth::settle`] has returned and the caller has written down its size.
#[derive(Debug)]
pub struct Growth {
    files: Files,
    edge: Edge,
    /// Of the bundle that the next entry goes into.
    bundle: Vec<u8>,
}

impl Growth {
    /// The tree of the first `size` entries in the folder.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn open(files: Files, size: u64) -> Result<Self, FilesError> {
        Ok(Self {
            edge: files.edge(size)?,
            bundle: files.partial_bundle(size)?,
            files,
        })
    }

    /// The tree so far.
    pub const fn edge(&self) -> &Edge {
        &self.edge
    }

    /// The first entries of the bundle that the next one goes into, so many at most.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn bundle_begin(&self, count: usize) -> Result<Vec<&[u8]>, FilesError> {
        let size = self.edge.size();
        let Some(bundle) = Bundle::of(size >> 8, size) else {
            return Ok(Vec::new());
        };
        let mut entries = bundle.decode(&self.bundle)?;
        entries.truncate(count);
        Ok(entries)
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn push(&mut self, entry: &[u8]) -> Result<(), FilesError> {
        for (tile, hashes) in self.edge.append(Hash::of_leaf(entry))? {
            self.files.put_tile(tile, &hashes)?;
        }
        Bundle::push(&mut self.bundle, entry)?;
        let newest = Bundle::of(self.edge.size().saturating_sub(1) >> 8, self.edge.size());
        if let Some(full) = newest.filter(|newest| *newest == newest.full()) {
            self.files.put_bundle(full, &self.bundle)?;
            self.bundle.clear();
        }
        Ok(())
    }

    /// Writes the partial tiles, and the partial bundle.
    ///
    /// # Errors
    /// [`FilesError`].
    pub fn settle(&self) -> Result<(), FilesError> {
        for (tile, hashes) in self.edge.partial() {
            self.files.put_tile(tile, &hashes)?;
        }
        match Bundle::of(self.edge.size() >> 8, self.edge.size()) {
            Some(partial) => self.files.put_bundle(partial, &self.bundle),
            None => Ok(()),
        }
    }
}

impl Tiles for Files {
    type Error = FilesError;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, FilesError> {
        let paths = [tile.to_string(), tile.full().to_string()];
        Ok(tile.decode(&self.read(paths, tile.full().len())?)?)
    }
}
