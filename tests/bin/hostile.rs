//! `streembit-hostile`: a peer that claims to hold whatever it is asked for and sends tampered
//! chunks. It joins the real network with a real node; the demo shows devices refusing it (P49).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "I/O shell, see ARCHITECTURE.md"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cli::exit::Context as _;
use cli::program::{Common, Program};
use cli::{CliError, Exit, durable, keyfile};
use futures::{AsyncReadExt as _, StreamExt as _};
use node::blocks::frames;
use node::command::run::{NetworkArgs, until_told_to_stop};
use node::{Stream, StreamProtocol};
use protocol::exchange::PROTOCOL;
use protocol::exchange::chunk_map::ChunkMap;
use protocol::exchange::tree::{Blob, ChunkTree};
use protocol::exchange::wire::Frame;

/// Bytes of a question.
const QUESTION_BYTES_MAX: usize = 64;
/// Bytes of a chunk level.
const TREE_BYTES_MAX: u64 = 2 << 20;

/// Joins the network and sends tampered chunks of a repository's blobs
#[derive(Debug, Parser)]
#[command(name = "streembit-hostile")]
struct Args {
    #[command(flatten)]
    common: Common,
    /// The repository whose blobs are tampered with
    #[arg(long, value_name = "DIR")]
    repository: PathBuf,
    /// Its key
    #[arg(long, value_name = "KEY")]
    key: String,
    #[command(flatten)]
    network: NetworkArgs,
}

impl Program for Args {
    const NAME: &'static str = "streembit-hostile";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self) -> Result<Exit, CliError> {
        let mut config = self.network.resolve()?;
        config.serve = false;
        let key = keyfile::open(&self.key)?;
        let runtime = tokio::runtime::Runtime::new().context(Exit::No, "runtime")?;
        runtime.block_on(async {
            let node = node::runtime::start(&config, &key).context(Exit::No, "node")?;
            let _socket = node::control::serve(&config.data_directory, node.clone())
                .context(Exit::No, "control socket")?;
            let mut streams = node
                .accept(StreamProtocol::new(PROTOCOL))
                .context(Exit::No, "exchange")?;
            let tamper = async {
                while let Some((_, stream)) = streams.next().await {
                    // Whoever finds out closes the stream; that is the point.
                    let tampering = tamper(stream, self.repository.clone());
                    tokio::spawn(tampering);
                }
            };
            tokio::select! {
                () = until_told_to_stop() => {}
                () = tamper => {}
            }
            Ok(Exit::Done)
        })
    }
}

/// Answers like an honest peer, but flips a bit in every chunk.
async fn tamper(stream: Stream, repository: PathBuf) -> std::io::Result<()> {
    let (mut reader, mut writer) = stream.split();
    let mut opened: Option<(Blob, ChunkTree)> = None;
    while let Some(frame) = frames::read(&mut reader, QUESTION_BYTES_MAX).await? {
        let answer = match (frame, &opened) {
            (Frame::Open(blob), _) => {
                let path = repository
                    .join("trees")
                    .join(format!("{}.tree", blob.name()));
                let bytes = durable::read(&path, TREE_BYTES_MAX).map_err(std::io::Error::other)?;
                let tree = ChunkTree::parse(blob, &bytes).map_err(std::io::Error::other)?;
                opened = Some((blob, tree));
                Frame::Have(ChunkMap::full(blob.chunk_count()).as_bytes().to_vec())
            }
            (Frame::GetTree { first, count }, Some((_, tree))) => Frame::Tree {
                first,
                nodes: tree.nodes(first, count),
            },
            (Frame::Request { first, .. }, Some((blob, _))) => {
                let length = usize::try_from(blob.chunk_len(first)).unwrap_or(0);
                Frame::Data {
                    chunk: first,
                    bytes: vec![0x42; length],
                }
            }
            _ => continue,
        };
        frames::write(&mut writer, &answer).await?;
    }
    Ok(())
}

fn main() -> ExitCode {
    cli::program::start::<Args>()
}
