//! Checkpoints as text.

use super::*;

const TEXT: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

#[test]
fn is_read_as_it_was_written() {
    let checkpoint: Checkpoint = TEXT.parse().unwrap();
    assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size, 20_852_163);
    assert_eq!(checkpoint.to_string(), TEXT);
    // What a log adds is the log's.
    let extended: Checkpoint = format!("{TEXT}extension\n").parse().unwrap();
    assert_eq!(extended, checkpoint);
}

#[test]
fn what_is_malformed_is_refused() {
    let change = |from: &str, to: &str| TEXT.replacen(from, to, 1);
    for (text, error) in [
        (String::new(), CheckpointError::Shape),
        (TEXT.trim_end().to_owned(), CheckpointError::Shape),
        (change("\n", "\n\n"), CheckpointError::Size),
        (format!("{TEXT}\n"), CheckpointError::Shape),
        (
            change("example.com/behind-the-sofa", ""),
            CheckpointError::Origin,
        ),
        (change("20852163", "020852163"), CheckpointError::Size),
        (change("20852163", "+20852163"), CheckpointError::Size),
        (change("20852163", "-1"), CheckpointError::Size),
        (
            change("20852163", "9223372036854775808"),
            CheckpointError::Size,
        ),
        (change("20852163", "0"), CheckpointError::Root),
        (change("I=\n", "I\n"), CheckpointError::Root),
        (change("I=\n", "J=\n"), CheckpointError::Root),
        (change("CsUY", "CsU"), CheckpointError::Root),
    ] {
        assert_eq!(text.parse::<Checkpoint>(), Err(error), "{text}");
    }
}
