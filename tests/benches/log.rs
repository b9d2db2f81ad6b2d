//! `cargo bench -p tests --bench log --profile dev`; a number of entries may follow `--`.

fn main() {
    support::large_log::main();
}
