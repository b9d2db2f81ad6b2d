//! Evidence packs: tar files of small files, read within bounds.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use manifests::evidence::pack::{ABOUT, About, BYTES_MAX, FILE_BYTES_MAX, FILES_MAX, Files};

/// A pack.
#[derive(Clone, Debug)]
pub struct Pack {
    /// Which release it is of.
    pub about: About,
    /// Its files by name.
    pub files: Files,
}

/// Why a file is no pack.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Not readable, or no tar file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Too many files, or too long ones.
    #[error("a pack has at most {FILES_MAX} files and {BYTES_MAX} bytes")]
    TooLarge,
    /// A link, a device, a folder.
    #[error("{0}: only files may be in a pack")]
    NoFile(String),
    /// Two files of one name: which one counts?
    #[error("{0} is there twice")]
    Twice(String),
    /// The file that says what it is.
    #[error("{ABOUT}: {0}")]
    About(String),
}

impl Pack {
    /// Reads a pack.
    ///
    /// # Errors
    /// [`PackError`].
    pub fn open(path: &Path) -> Result<Self, PackError> {
        Self::read(File::open(path)?)
    }

    fn read(file: impl io::Read) -> Result<Self, PackError> {
        let mut archive = tar::Archive::new(io::BufReader::new(file).take(2 * BYTES_MAX));
        let (mut files, mut bytes) = (Files::new(), 0_u64);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if entry.header().entry_type() != tar::EntryType::Regular {
                return Err(PackError::NoFile(name));
            }
            let size = entry.size();
            bytes = bytes.saturating_add(size);
            if size > FILE_BYTES_MAX || bytes > BYTES_MAX || files.len() >= FILES_MAX {
                return Err(PackError::TooLarge);
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            if files.insert(name.clone(), content).is_some() {
                return Err(PackError::Twice(name));
            }
        }
        let about = files
            .get(ABOUT)
            .ok_or_else(|| PackError::About("is not there".to_owned()))?;
        let about = About::parse(about).map_err(|error| PackError::About(error.to_string()))?;
        Ok(Self { about, files })
    }

    /// A file.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn about() -> Vec<u8> {
        let (target, product) = ("cam-1.bin".to_owned(), "cam".to_owned());
        About { target, product }.encode()
    }

    #[test]
    fn files_are_read_by_name() {
        let pack = tar(&[(ABOUT, &about()), ("evidence/x", b"y")]);
        let pack = Pack::read(pack.as_slice()).unwrap();
        assert_eq!(pack.about.product, "cam");
        assert_eq!(pack.file("evidence/x"), Some(&b"y"[..]));
        assert_eq!(pack.file("evidence/z"), None);
    }

    #[test]
    fn packs_with_two_meanings_are_refused() {
        let twice = tar(&[(ABOUT, &about()), ("x", b"1"), ("x", b"2")]);
        assert!(matches!(
            Pack::read(twice.as_slice()),
            Err(PackError::Twice(_))
        ));
        let mut link = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        link.append_link(&mut header, "x", "/etc/passwd").unwrap();
        let link = link.into_inner().unwrap();
        assert!(matches!(
            Pack::read(link.as_slice()),
            Err(PackError::NoFile(_))
        ));
        let nothing = tar(&[("x", b"1")]);
        assert!(matches!(
            Pack::read(nothing.as_slice()),
            Err(PackError::About(_))
        ));
        assert!(Pack::read(&b"no archive at all, but long enough to be looked at"[..]).is_err());
    }

    #[test]
    fn packs_without_bounds_are_refused() {
        let names: Vec<String> = (0..=FILES_MAX).map(|number| number.to_string()).collect();
        let files: Vec<(&str, &[u8])> =
            names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        assert!(matches!(
            Pack::read(tar(&files).as_slice()),
            Err(PackError::TooLarge)
        ));
        let mut header = tar::Header::new_ustar();
        header.set_path("x").unwrap();
        header.set_size(BYTES_MAX + 1);
        header.set_cksum();
        assert!(matches!(
            Pack::read(&header.as_bytes()[..]),
            Err(PackError::TooLarge)
        ));
    }
}
