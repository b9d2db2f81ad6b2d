//! A device serves others what it holds, also after a restart.

use std::fs;
use std::sync::Arc;

use cli::Exit;
use protocol::exchange::tree::TreeBuilder;
use support::device::{Device, Kind, Published};
use support::mirror::Mirror;
use support::network::{Data, TestNode};
use support::programs::{Running, run, seed};

/// The archive in the data folder of a device with directories, to a node that knows nobody else.
#[test]
fn what_the_data_folder_holds_is_served_after_a_restart() {
    let published = Published::shared(Kind::Dir);
    let mirror = Mirror::start(&published.repository());
    let mut device = Device::new(&published, &mirror.url());
    assert_eq!(device.run(&["install"]).unwrap(), Exit::Reboot);
    assert_eq!(device.run(&["boot"]).unwrap(), Exit::Done);
    assert_eq!(device.run(&["mark-good"]).unwrap(), Exit::Done);
    drop(mirror);
    let image = device.state().slots["B"].clone();
    let name = format!("{}-{}", image.blake3, image.size);
    let bytes = Arc::new(fs::read(device.data("blobs").join(name)).unwrap());
    let mut builder = TreeBuilder::new();
    builder.update(&bytes);
    let tree = Arc::new(builder.finish());
    let data = Data { bytes, tree };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let node = runtime.block_on(TestNode::start(&[]));
    device.bootstrap = Some(node.address.to_string());
    let config = device.config();
    let args = ["-q", "-c", config.to_str().unwrap(), "run"];
    let running = Running::start("streembit-agent", &args, &device.data(""));
    let report = runtime.block_on(async {
        node.until_peers(1).await;
        node.fetch_whole(&data).await
    });
    assert_eq!(report.bytes_by_source.len(), 1, "{report:?}");
    assert_eq!(running.end_by("TERM"), Some(0));
}

/// The daemon of a device and the publisher's, by both signals.
#[test]
fn daemons_end_when_told_l97() {
    let published = Published::shared(Kind::Raw);
    for signal in ["INT", "TERM"] {
        let place = tempfile::tempdir().unwrap();
        support::publisher::copy(&published.repository(), place.path());
        let repository = place.path().join("repository");
        let (seeder, address) = seed(&repository);
        let mirror = Mirror::start(&repository);
        let mut device = Device::new(&published, &mirror.url());
        device.bootstrap = Some(address);
        let config = device.config();
        let args = ["-q", "-c", config.to_str().unwrap(), "run"];
        let mut agent = Running::start("streembit-agent", &args, &device.data(""));
        let ask = ["peers", "--json", "--data-directory", "seed"];
        agent.wait_for("a device that is connected", || {
            let peers = run("streembit", &ask, &repository);
            (peers.stdout.len() > 4).then_some(())
        });
        assert_eq!(agent.end_by(signal), Some(0), "agent, SIG{signal}");
        assert_eq!(seeder.end_by(signal), Some(0), "publisher, SIG{signal}");
    }
}
