//! Notes, checkpoints, policies, proofs and evidence of transparency logs, as bytes from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::checkpoint::Checkpoint;
use tlog::log_proof::LogProof;
use tlog::note::Note;
use tlog::policy::Policy;
use tlog::split_view::SplitView;
use tlog::witness::AddCheckpoint;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes, "one text, one note");
        if let Ok(checkpoint) = note.text().parse::<Checkpoint>() {
            assert_eq!(checkpoint.to_string(), note.text());
        }
    }
    if let Ok(request) = AddCheckpoint::parse(bytes) {
        assert_eq!(request.to_string().as_bytes(), bytes);
    }
    if let Ok(proof) = LogProof::parse(bytes) {
        assert_eq!(LogProof::parse(proof.to_string().as_bytes()), Ok(proof));
    }
    drop(Policy::parse(bytes));
    drop(SplitView::parse(bytes));
});
