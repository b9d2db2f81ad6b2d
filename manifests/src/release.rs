//! What a target's `custom` says about a release: for whom, how new, how to get it.

use crate::digest::Blake3;
use crate::json::{Json, JsonError, wrong};
use crate::limits::{DELTAS_MAX, HARDWARE_MAX, IMAGE_BYTES_MAX, VERSION_BYTES_MAX};
use crate::name::Name;

/// How the image is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// Bytes of a disk, partition or flash, written as they are.
    Raw,
    /// A tar archive, extracted into a directory.
    Tar,
}

impl ImageFormat {
    /// The format's name in metadata.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Tar => "tar",
        }
    }
}

/// A blob by content: BLAKE3 root and size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// BLAKE3 of the bytes, the root of their chunk tree.
    pub blake3: Blake3,
    /// Bytes, 1 to [`IMAGE_BYTES_MAX`]; 0 of [`Content::NOTHING`] alone.
    pub size: u64,
}

impl Content {
    /// No bytes at all: the base of a delta that needs none.
    pub const NOTHING: Self = Self {
        blake3: Blake3::new([
            0xaf, 0x13, 0x49, 0xb9, 0xf5, 0xf9, 0xa1, 0xa6, 0xa0, 0x40, 0x4d, 0xea, 0x36, 0xdc,
            0xc9, 0x49, 0x9b, 0xcb, 0x25, 0xc9, 0xad, 0xc1, 0x12, 0xb7, 0xcc, 0x9a, 0x93, 0xca,
            0xe4, 0x1f, 0x32, 0x62,
        ]),
        size: 0,
    };

    /// The base of a delta, which may be nothing.
    fn parse_base(json: &Json) -> Result<Self, JsonError> {
        let (hash, size) = ("base_blake3", "base_size");
        if json.integer(size, 0)? > 0 {
            return Self::parse(json, hash, size);
        }
        if json.string(hash)? != Self::NOTHING.blake3.to_string() {
            return Err(wrong(hash, "the hash of nothing where base_size is 0"));
        }
        Ok(Self::NOTHING)
    }

    fn parse(json: &Json, hash: &'static str, size: &'static str) -> Result<Self, JsonError> {
        let blake3 = Blake3::parse(json.string(hash)?)
            .map_err(|_| wrong(hash, "64 lower-case hex digits"))?;
        let bytes = json.integer(size, 1)?;
        if bytes > IMAGE_BYTES_MAX {
            return Err(wrong(size, "at most 16 GiB"));
        }
        Ok(Self {
            blake3,
            size: bytes,
        })
    }
}

/// A delta that turns one older image into the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaRef {
    /// The image it applies to; with [`Content::NOTHING`] it is the image itself, compressed in pieces.
    pub base: Content,
    /// The delta's own bytes.
    pub blob: Content,
    /// Container name and version, such as `streembit-delta/1`; unknown ones are skipped.
    pub format: String,
}

/// One release of a product: the `custom` of a target, plus nothing that is not signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The product, also the name of the delegated role.
    pub product: Name,
    /// The channel it is published on.
    pub channel: Name,
    /// The version that people read. Order is decided by `release` alone.
    pub version: String,
    /// Monotone release counter; a device never goes below what it ran.
    pub release: u64,
    /// Raised when older releases must never run again.
    pub security_version: u64,
    /// Hardware ids it fits; at least one.
    pub hardware: Vec<Name>,
    /// Image layout.
    pub format: ImageFormat,
    /// The image's content address.
    pub image: Content,
    /// Deltas to it, at most [`DELTAS_MAX`].
    pub deltas: Vec<DeltaRef>,
}

impl Release {
    /// Parses `custom`; `length` is the target's signed length, which the size must equal.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub fn parse(custom: &Json, length: u64) -> Result<Self, JsonError> {
        let name = |json: &Json, member: &'static str| {
            let text = json.as_str().ok_or_else(|| wrong(member, "a string"))?;
            Name::parse(text).map_err(|_| wrong(member, "a flat name"))
        };
        let version = custom.string("version")?;
        let printable = version.bytes().all(|byte| byte.is_ascii_graphic());
        if version.is_empty() || version.len() > VERSION_BYTES_MAX || !printable {
            return Err(wrong("version", "1 to 64 printable ASCII characters"));
        }
        let hardware = custom.items("hardware", HARDWARE_MAX)?;
        let hardware: Vec<Name> = hardware
            .iter()
            .map(|id| name(id, "hardware"))
            .collect::<Result<_, _>>()?;
        if hardware.is_empty() {
            return Err(wrong("hardware", "a list of at least one hardware id"));
        }
        let image = Content::parse(custom, "blake3", "size")?;
        if image.size != length {
            return Err(wrong("size", "the target's length"));
        }
        let format = match custom.string("format")? {
            "raw" => ImageFormat::Raw,
            "tar" => ImageFormat::Tar,
            _ => return Err(wrong("format", "`raw` or `tar`")),
        };
        let deltas = custom.items("deltas", DELTAS_MAX)?;
        Ok(Self {
            product: name(custom.require("product")?, "product")?,
            channel: name(custom.require("channel")?, "channel")?,
            version: version.to_owned(),
            release: custom.integer("release", 1)?,
            security_version: custom.integer("security_version", 0)?,
            hardware,
            format,
            image,
            deltas: deltas.iter().map(parse_delta).collect::<Result<_, _>>()?,
        })
    }

    /// Encodes as `custom`.
    pub fn to_json(&self) -> Json {
        let text = |value: &str| Json::from(value);
        Json::object([
            ("product", text(self.product.as_str())),
            ("channel", text(self.channel.as_str())),
            ("version", text(&self.version)),
            ("release", Json::from(self.release)),
            ("security_version", Json::from(self.security_version)),
            (
                "hardware",
                Json::strings(self.hardware.iter().map(Name::as_str)),
            ),
            ("format", text(self.format.name())),
            ("blake3", text(&self.image.blake3.to_string())),
            ("size", Json::from(self.image.size)),
            (
                "deltas",
                Json::Array(self.deltas.iter().map(delta_to_json).collect()),
            ),
        ])
    }
}

fn parse_delta(json: &Json) -> Result<DeltaRef, JsonError> {
    Ok(DeltaRef {
        base: Content::parse_base(json)?,
        blob: Content::parse(json, "blake3", "size")?,
        format: json.string("format")?.to_owned(),
    })
}

fn delta_to_json(delta: &DeltaRef) -> Json {
    Json::object([
        (
            "base_blake3",
            Json::from(delta.base.blake3.to_string().as_str()),
        ),
        ("base_size", Json::from(delta.base.size)),
        ("blake3", Json::from(delta.blob.blake3.to_string().as_str())),
        ("size", Json::from(delta.blob.size)),
        ("format", Json::from(delta.format.as_str())),
    ])
}

#[cfg(test)]
mod tests;
