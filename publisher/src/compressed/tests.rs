//! Tests of what counts as compressed, and of unpacking.

use std::io::{Cursor, Write as _};

use super::unpack::{Packing, SMALL_PART_BYTES, SMALL_PARTS_MAX, UNPACKED_BYTES_MAX, unpack};
use super::{Found, find};

fn found(image: &[u8]) -> Option<Found> {
    find(&mut Cursor::new(image), image.len() as u64).unwrap()
}

fn what(image: &[u8]) -> String {
    found(image).map(|found| found.what).unwrap_or_default()
}

/// Bytes that can't be compressed.
fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    noise
}

fn text(bytes: usize) -> Vec<u8> {
    let words = (0..).flat_map(|n: u32| format!("line {n}\n").into_bytes());
    words.take(bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).unwrap()
}

/// A superblock of squashfs 4.0 and data.
fn squashfs(compressor: u16, flags: u16) -> Vec<u8> {
    let mut image = vec![0; 4096];
    image[..4].copy_from_slice(b"hsqs");
    image[20..22].copy_from_slice(&compressor.to_le_bytes());
    image[24..26].copy_from_slice(&flags.to_le_bytes());
    image[28] = 4;
    image.extend(text(100_000));
    image
}

/// A boot sector of Linux on x86 and a payload.
fn bz_image(payload: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 1024];
    image[0x1f1] = 1;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x248] = 16;
    image.extend([0; 16]);
    image.extend(payload);
    image
}

#[test]
fn compressed_files_are_told_by_their_first_bytes() {
    let plain = text(300_000);
    for (packed, name, packing) in [
        (gzip(&plain), "gzip", Packing::Gzip),
        (bzip2(&plain), "bzip2", Packing::Bzip2),
        (zstd(&plain), "zstd", Packing::Zstd),
    ] {
        let found = found(&packed).unwrap();
        assert!(found.what.contains(name), "{found:?}");
        assert_eq!((found.packing, found.is_sampled), (Some(packing), false));
    }
    for (magic, name) in [
        (&b"\xfd7zXZ\0\0\x04"[..], "xz"),
        (b"\x04\x22\x4d\x18\x64", "lz4"),
        (b"\x02\x21\x4c\x18", "lz4"),
        (b"\x89LZO\0\x0d\x0a\x1a\x0a", "lzop"),
        (b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff", "lzma"),
    ] {
        let found = found(magic).unwrap();
        assert!(found.what.contains(name), "{found:?}");
        assert_eq!(found.packing, None);
    }
}

#[test]
fn what_only_looks_like_a_compressed_file_is_none() {
    for plain in [
        &b""[..],
        b"\x1f\x8b",
        b"BZh9 is not",
        b"\x5d\0\0\x03",
        b"MZ",
        b"hsqs",
    ] {
        assert_eq!(found(plain), None, "{plain:?}");
        let image = [plain, &text(200_000)].concat();
        assert_eq!(found(&image), None, "{plain:?}");
    }
}

#[test]
fn squashfs_is_compressed_unless_data_and_fragments_are_stored() {
    for (id, name) in [
        (1, "gzip"),
        (2, "lzma"),
        (3, "lzo"),
        (4, "xz"),
        (5, "lz4"),
        (6, "zstd"),
    ] {
        assert_eq!(
            what(&squashfs(id, 0)),
            format!("it is a squashfs by {name}")
        );
    }
    assert!(
        found(&squashfs(6, 0x2)).is_some(),
        "fragments are compressed"
    );
    for stored in [0x2 | 0x8, 0x2 | 0x10, 0x1 | 0x2 | 0x8] {
        assert_eq!(found(&squashfs(6, stored)), None, "{stored:#x}");
    }
    assert_eq!(found(&squashfs(0, 0)), None);
    assert_eq!(found(&squashfs(7, 0)), None);
}

#[test]
fn kernels_are_compressed_unless_their_payload_is_plain() {
    assert!(what(&bz_image(&gzip(b"kernel"))).contains("bzImage) compressed by gzip"));
    assert!(what(&bz_image(b"unknown")).contains("whose payload is compressed"));
    assert_eq!(found(&bz_image(b"\x7fELF")), None);
    let mut zboot = b"MZ\0\0zimg\x40\0\0\0".to_vec();
    zboot.resize(0x206, 0);
    zboot[0x40..0x44].copy_from_slice(b"\x28\xb5\x2f\xfd");
    assert!(
        what(&zboot).contains("zboot) compressed by zstd"),
        "{}",
        what(&zboot)
    );
    let mut arm = vec![0; 0x206];
    arm[0x24..0x28].copy_from_slice(&0x016f_2818_u32.to_le_bytes());
    assert!(what(&arm).contains("zImage"));
    let mut uimage = b"\x27\x05\x19\x56".to_vec();
    uimage.resize(0x206, 0);
    assert_eq!(found(&uimage), None);
    uimage[31] = 3;
    assert!(what(&uimage).contains("U-Boot image by lzma"));
}

#[test]
fn image_is_compressed_if_most_samples_are() {
    let (noise, text) = (noise(600_000), text(400_000));
    let found_most = found(&[&text[..], &noise].concat()).unwrap();
    assert!(found_most.is_sampled && found_most.packing.is_none());
    assert!(found_most.what.contains("samples can't be compressed"));
    assert_eq!(found(&[&noise[..300_000], &text].concat()), None);
    assert_eq!(found(&noise[..1000]), None, "too little to tell");
    let mut disk = [&text[..8192], &squashfs(4, 0)[..4096], &noise].concat();
    assert!(
        what(&disk).contains("squashfs by xz at byte 8192"),
        "{}",
        what(&disk)
    );
    disk[8192] = b'x';
    assert!(!what(&disk).contains("squashfs"));
}

#[test]
fn parts_are_unpacked_one_after_another_and_padding_is_left() {
    let (one, two) = (text(70_000), noise(70_000));
    for pack in [gzip, bzip2, zstd] {
        let mut packed = [pack(&one), pack(&two)].concat();
        assert!(unpack(&packed[..]).unwrap() == [&one[..], &two].concat());
        packed.extend([0; 4096]);
        assert!(unpack(&packed[..]).unwrap() == [&one[..], &two].concat());
        let cut = packed.len() - 4096 - 20_000;
        assert!(unpack(&packed[..cut]).is_err(), "cut off");
    }
}

/// A few kilobytes that unpack to more than the limit stop there.
#[test]
fn unpacking_stops_at_its_limit() {
    let limit = usize::try_from(UNPACKED_BYTES_MAX).unwrap();
    let packed = zstd(&vec![0; limit]);
    assert_eq!(unpack(&packed[..]).unwrap().len(), limit);
    let error = unpack(&[packed, zstd(b"!")].concat()[..]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
}

/// Parts cost time even if nothing is in them, and nine bytes are one.
#[test]
fn unpacking_stops_at_a_number_of_small_parts() {
    let (most, size) = (SMALL_PARTS_MAX as usize, SMALL_PART_BYTES as usize);
    for small in [&b""[..], b"!", &text(size - 1)] {
        for pack in [gzip, bzip2, zstd] {
            let packed = pack(small);
            assert_eq!(
                unpack(&packed.repeat(most)).unwrap().len(),
                small.len() * most
            );
            let error = unpack(&packed.repeat(most + 1)).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
            assert!(
                error.to_string().contains("more than 1000 parts"),
                "{error}"
            );
        }
    }
    let parts = zstd(&text(size)).repeat(most + 1);
    assert_eq!(unpack(&parts).unwrap().len(), size * (most + 1));
}
