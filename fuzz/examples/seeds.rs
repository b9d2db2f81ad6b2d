//! Writes the seeds of the targets that read compressed bytes, which a fuzzer doesn't find by itself:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

use std::io::Result;
use std::path::Path;
use std::{fs, iter};

use fuzz::image;

fn main() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut text = String::new();
    for number in 0..90_u32 {
        text.push_str(&format!("line {number} of {} lines\n", number * 7919 % 613));
    }
    let noise = image::noise(5, 1024);
    let runs: Vec<u8> = noise
        .iter()
        .flat_map(|&byte| iter::repeat_n(byte & 3, 3))
        .collect();
    let contents = [
        ("text", text.as_bytes()),
        ("noise", &noise),
        ("runs", &runs),
    ];
    for level in [1, 19] {
        for (name, content) in contents {
            // Base, machine and size, then the flags: the frame as it is.
            let mut seed = vec![0, 0, 0, 0, 0];
            seed.extend(zstd::bulk::compress(content, level)?);
            write(
                &folder.join("delta_frame"),
                &format!("{name}_{level}"),
                &seed,
            )?;
        }
    }
    let mut moved = noise.clone();
    moved.rotate_left(500);
    moved[77] ^= 1;
    for (name, target) in [("moved", &moved), ("same", &noise), ("empty", &Vec::new())] {
        let mut delta = Vec::new();
        delta::bsdiff::create(&noise, target, &mut delta).map_err(std::io::Error::other)?;
        write(&folder.join("bsdiff_raw"), name, &delta)?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, seed: &[u8]) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name).with_extension("bin"), seed)
}
