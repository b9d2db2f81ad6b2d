//! Tests of reading what still arrives.

use std::thread;

use super::super::partial::Partial;
use super::*;

const SIZE: usize = 600_000;

fn bytes() -> Vec<u8> {
    (0..SIZE)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect()
}

fn partial(folder: &tempfile::TempDir) -> Partial {
    let blob = Blob {
        root: [0; 32],
        size: SIZE as u64,
    };
    Partial::open(
        blob,
        &folder.path().join("blob"),
        &folder.path().join("tree"),
    )
    .unwrap()
}

fn chunk(number: u32) -> Vec<u8> {
    let size = usize::try_from(CHUNK_BYTES).unwrap();
    let chunks: Vec<Vec<u8>> = bytes().chunks(size).map(<[u8]>::to_vec).collect();
    chunks[number as usize].clone()
}

#[test]
fn reader_waits_for_chunks_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let partial = partial(&folder);
    let mut reader = partial.reader();
    let reading = thread::spawn(move || {
        let mut read = Vec::new();
        reader.read_to_end(&mut read).map(|_| read)
    });
    for number in [2, 0, 1] {
        assert!(!reading.is_finished());
        partial.write(number, &chunk(number)).unwrap();
    }
    assert!(reading.join().unwrap().unwrap() == bytes());
}

#[test]
fn reader_that_waits_fails_when_the_fetch_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let partial = partial(&folder);
    partial.write(0, &chunk(0)).unwrap();
    let mut reader = partial.reader();
    let reading = thread::spawn(move || {
        let mut read = Vec::new();
        let error = reader.read_to_end(&mut read).unwrap_err();
        (error.kind(), read)
    });
    partial.give_up();
    let (kind, read) = reading.join().unwrap();
    assert_eq!(kind, io::ErrorKind::UnexpectedEof);
    assert!(read == chunk(0));
    // What is there is read all the same.
    let mut again = [0; 100];
    partial.reader().read_exact(&mut again).unwrap();
    assert_eq!(again, bytes()[..100]);
}

#[test]
fn reader_seeks_and_ends_where_the_blob_ends() {
    let folder = tempfile::tempdir().unwrap();
    let partial = partial(&folder);
    (0..3).for_each(|number| partial.write(number, &chunk(number)).unwrap());
    let mut reader = partial.reader();
    assert_eq!(reader.seek(SeekFrom::End(-3)).unwrap(), SIZE as u64 - 3);
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    assert_eq!(read, bytes()[SIZE - 3..]);
    reader.seek(SeekFrom::Start(u64::MAX)).unwrap();
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    assert!(reader.seek(SeekFrom::Current(1)).is_err());
}
