//! Tests of the shell around the download machine, with links that are mere channels.

use protocol::exchange::download::PeerRole;
use protocol::exchange::tree::TreeBuilder;

use super::*;

const PATIENCE: Duration = Duration::from_millis(500);

/// The holder's side of a link.
struct Holder {
    asked: mpsc::Receiver<Frame>,
    answers: mpsc::Sender<Frame>,
}

fn link(name: &str) -> (Link, Holder) {
    let (outgoing, asked) = mpsc::channel(64);
    let (answers, incoming) = mpsc::channel(2);
    let link = Link {
        name: name.to_owned(),
        role: PeerRole::Peer,
        outgoing,
        incoming,
    };
    (link, Holder { asked, answers })
}

fn tree() -> ChunkTree {
    let mut builder = TreeBuilder::new();
    builder.update(&[7; 1000]);
    builder.finish()
}

/// Runs a fetch of [`tree`] beside what `holders` does; it ends starved or complete.
async fn fetched(
    links: mpsc::Receiver<Link>,
    holders: impl Future<Output = ()>,
) -> Result<FetchReport, FetchError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blob");
    let partial = Partial::open(tree().blob(), &path, &folder.path().join("tree")).unwrap();
    let to = Destination {
        partial: &partial,
        blobs: &BlobStore::default(),
        wanted: None,
        gate: async || Ok(()),
    };
    let fetching = fetch(to, links, PATIENCE, |_| {});
    tokio::join!(fetching, holders).0
}

#[tokio::test]
async fn second_link_of_a_holder_in_use_is_ignored() {
    let (sender, links) = mpsc::channel(4);
    let holders = async {
        let (first, mut holder) = link("alice");
        sender.send(first).await.unwrap();
        assert!(matches!(holder.asked.recv().await, Some(Frame::Open(_))));
        let (second, mut ignored) = link("alice");
        sender.send(second).await.unwrap();
        assert_eq!(ignored.asked.recv().await, None, "closed without a word");
        // Once the first is gone, the holder may come back.
        drop(holder);
        loop {
            let (third, mut holder) = link("alice");
            sender.send(third).await.unwrap();
            if let Some(frame) = holder.asked.recv().await {
                assert!(matches!(frame, Frame::Open(_)));
                break;
            }
        }
    };
    let starved = fetched(links, holders).await;
    assert!(matches!(starved, Err(FetchError::Starved { .. })));
}

#[tokio::test]
async fn liar_is_not_used_again_p49() {
    let (sender, links) = mpsc::channel(4);
    let holders = async {
        let (first, mut holder) = link("mallory");
        sender.send(first).await.unwrap();
        holder.answers.send(Frame::Have(vec![1])).await.unwrap();
        while let Some(frame) = holder.asked.recv().await {
            if matches!(frame, Frame::GetTree { .. }) {
                let nodes = vec![9; 32];
                let lie = Frame::Tree { first: 0, nodes };
                holder.answers.send(lie).await.unwrap();
            }
        }
        let (again, mut holder) = link("mallory");
        sender.send(again).await.unwrap();
        assert_eq!(holder.asked.recv().await, None);
    };
    let starved = fetched(links, holders).await;
    assert!(matches!(starved, Err(FetchError::Starved { .. })));
}

/// What a holder sent before it left is taken, although requests to it fail already (P52).
#[tokio::test]
async fn chunks_sent_before_leaving_count_p52() {
    let (sender, links) = mpsc::channel(4);
    let holders = async {
        let (only, mut holder) = link("alice");
        sender.send(only).await.unwrap();
        holder.answers.send(Frame::Have(vec![1])).await.unwrap();
        while let Some(frame) = holder.asked.recv().await {
            match frame {
                Frame::GetTree { .. } => {
                    let nodes = tree().encode();
                    let level = Frame::Tree { first: 0, nodes };
                    holder.answers.send(level).await.unwrap();
                }
                Frame::Request { .. } => {
                    drop(holder.asked); // takes nothing more
                    let bytes = vec![7; 1000];
                    let data = Frame::Data { chunk: 0, bytes };
                    holder.answers.send(data).await.unwrap();
                    break;
                }
                _ => {}
            }
        }
    };
    let report = fetched(links, holders).await.unwrap();
    assert_eq!(report.bytes_by_source["alice"], 1000);
}
