//! Compression by what an image starts with.

use super::Found;
use super::unpack::Packing;

/// First bytes of compressed files, and whether we can unpack them.
const MAGICS: [(&[u8], &str, Option<Packing>); 6] = [
    (b"\x1f\x8b\x08", "gzip", Some(Packing::Gzip)),
    (b"\x28\xb5\x2f\xfd", "zstd", Some(Packing::Zstd)),
    (b"\xfd7zXZ\0", "xz", None),
    (b"\x04\x22\x4d\x18", "lz4", None),
    (b"\x02\x21\x4c\x18", "lz4 (legacy)", None),
    (b"\x89LZO\0\x0d\x0a\x1a\x0a", "lzop", None),
];
/// What follows the level of a bzip2 file: its first block, or its end where it is empty.
const BZIP2_BLOCKS: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];
/// Sizes above this in an lzma header are chance.
const LZMA_BYTES_MAX: u64 = 1 << 38;
/// Compressors of squashfs 4.0, by id.
const SQUASHFS: [&str; 6] = ["gzip", "lzma", "lzo", "xz", "lz4", "zstd"];
/// Flags of squashfs: data blocks are stored as they are; fragments are; there are none.
const DATA_STORED: u16 = 0x2;
const FRAGMENTS_STORED: u16 = 0x8;
const NO_FRAGMENTS: u16 = 0x10;
/// Compressions of a U-Boot image, by id.
const UIMAGE: [&str; 7] = ["none", "gzip", "bzip2", "lzma", "lzo", "lz4", "zstd"];

/// Looks at the first bytes of an image.
pub(super) fn find(head: &[u8]) -> Option<Found> {
    if let Some((name, packing)) = file(head) {
        return Some(Found {
            packing,
            ..Found::named(format!("it is one {name} file"))
        });
    }
    let found = squashfs(head).map(|name| format!("it is a squashfs by {name}"));
    found
        .or_else(|| kernel(head))
        .or_else(|| uimage(head))
        .map(Found::named)
}

/// The format of a compressed file.
fn file(head: &[u8]) -> Option<(&'static str, Option<Packing>)> {
    if is_bzip2(head) {
        return Some(("bzip2", Some(Packing::Bzip2)));
    }
    if is_lzma(head).unwrap_or(false) {
        return Some(("lzma", None));
    }
    let (_, name, packing) = MAGICS.iter().find(|(magic, ..)| head.starts_with(magic))?;
    Some((name, *packing))
}

fn is_bzip2(head: &[u8]) -> bool {
    let block = head.get(4..10).unwrap_or_default();
    head.starts_with(b"BZh") && BZIP2_BLOCKS.contains(&block)
}

/// Three bytes are too few to tell an lzma file: the sizes that it states must make sense too.
fn is_lzma(head: &[u8]) -> Option<bool> {
    let (dictionary, size) = (u32_at(head, 1)?, u64_at(head, 5)?);
    let is_size = size == u64::MAX || (size > 0 && size < LZMA_BYTES_MAX);
    Some(head.starts_with(b"\x5d\0\0") && dictionary.is_power_of_two() && is_size)
}

/// The compressor of a squashfs whose data are compressed.
pub(super) fn squashfs(head: &[u8]) -> Option<&'static str> {
    let is_version_4 = head.starts_with(b"hsqs") && u16_at(head, 28)? == 4;
    let flags = u16_at(head, 24)?;
    let fragments = flags & (FRAGMENTS_STORED | NO_FRAGMENTS) == 0;
    let is_compressed = flags & DATA_STORED == 0 || fragments;
    let id = usize::from(u16_at(head, 20)?).checked_sub(1)?;
    let name = SQUASHFS.get(id)?;
    (is_version_4 && is_compressed).then_some(name)
}

/// Kernels that unpack themselves.
fn kernel(head: &[u8]) -> Option<String> {
    let (what, payload) = if head.get(..2)? == b"MZ" && head.get(4..8)? == b"zimg" {
        ("an EFI kernel (zboot)", u32_at(head, 8)? as usize)
    } else if head.get(0x202..0x206)? == b"HdrS" {
        let sectors = match head.get(0x1f1)? {
            0 => 4,
            &sectors => usize::from(sectors),
        };
        let start = (sectors + 1) * 512 + u32_at(head, 0x248)? as usize;
        ("an x86 kernel (bzImage)", start)
    } else if u32_at(head, 0x24)? == 0x016f_2818 {
        return Some("it is an ARM kernel that unpacks itself (zImage)".to_owned());
    } else {
        return None;
    };
    let payload = head.get(payload..).unwrap_or_default();
    if payload.starts_with(b"\x7fELF") {
        return None;
    }
    Some(match file(payload) {
        Some((name, _)) => format!("it is {what} compressed by {name}"),
        None => format!("it is {what}, whose payload is compressed"),
    })
}

/// An image of U-Boot in its old format.
fn uimage(head: &[u8]) -> Option<String> {
    let is_one = head.starts_with(b"\x27\x05\x19\x56");
    let id = usize::from(*head.get(31)?);
    let name = UIMAGE.get(id).filter(|_| is_one && id > 0)?;
    Some(format!("it is a U-Boot image by {name}"))
}

fn bytes_at<const N: usize>(head: &[u8], at: usize) -> Option<[u8; N]> {
    head.get(at..)?.first_chunk().copied()
}

fn u16_at(head: &[u8], at: usize) -> Option<u16> {
    bytes_at(head, at).map(u16::from_le_bytes)
}

fn u32_at(head: &[u8], at: usize) -> Option<u32> {
    bytes_at(head, at).map(u32::from_le_bytes)
}

fn u64_at(head: &[u8], at: usize) -> Option<u64> {
    bytes_at(head, at).map(u64::from_le_bytes)
}
