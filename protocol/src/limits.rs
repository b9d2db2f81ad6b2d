//! Every bound on foreign bytes in this crate, with unit and reason.

use std::time::Duration;

/// Bytes of any DHT record: the largest kind, a presence, fits one Kademlia packet of 24 KiB beside 20 peers with
/// their addresses.
pub const RECORD_BYTES_MAX: usize = 12 * 1024;
/// Bytes of a release head (DESIGN section 10).
pub const HEAD_RECORD_BYTES_MAX: usize = 8 * 1024;
/// Bytes of an account record: with as many changes of key as there may be.
pub const ACCOUNT_RECORD_BYTES_MAX: usize = 6 * 1024;
/// Changes of key that an account record shows; contacts that missed more follow the old records.
pub const KEY_CHANGES_MAX: usize = 6;
/// Bytes of a JWS header: `alg` and `typ`.
pub const JWS_HEADER_BYTES_MAX: usize = 128;
/// Bytes of a JWE header: algorithms, kind and an ephemeral key, encoded.
pub const JWE_HEADER_BYTES_MAX: usize = 512;
/// Recipients of one JWE: 64 entries of 56 characters each fit a record.
pub const JWE_RECIPIENTS_MAX: usize = 64;
/// Entries of a JWE for several at least, so that small numbers don't show.
pub const JWE_RECIPIENTS_MIN: usize = 8;
/// Bytes of the root that a release head carries: 12 keys; more don't fit the record.
pub const HEAD_ROOT_BYTES_MAX: usize = 4 * 1024;
/// Bytes of the timestamp that a release head carries: 3 signatures.
pub const HEAD_TIMESTAMP_BYTES_MAX: usize = 2 * 1024;
/// Changes of account that a release head carries; beside a root of three keys two fit the record.
pub const ACCOUNT_CHANGES_MAX: usize = 4;
/// Bytes of one such change: two keys, a publisher id and a signature.
pub const ACCOUNT_CHANGE_BYTES_MAX: usize = 1024;
/// Bytes of a catalog, the blob that a release head points at (DESIGN section 10).
pub const CATALOG_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How far a signer's clock may run ahead of ours.
pub const CLOCK_SKEW: Duration = Duration::from_secs(10 * 60);
/// Longest life of an account record from `iat` to `exp`; it is signed again long before.
pub const ACCOUNT_LIFE_MAX: Duration = Duration::from_secs(90 * 24 * 3600);
/// Longest life of the record of an account that has moved or was deleted: as long as anyone may look for it.
pub const ACCOUNT_FINAL_LIFE_MAX: Duration = Duration::from_secs(3650 * 24 * 3600);
/// Longest life of a presence: who stops announcing is gone after a day at most.
pub const PRESENCE_LIFE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Bytes of a presence: 64 readers and 8 addresses.
pub const PRESENCE_BYTES_MAX: usize = RECORD_BYTES_MAX;
/// Addresses in a presence, and bytes of each.
pub const PRESENCE_ADDRESSES_MAX: usize = 8;
/// Bytes of an address in a presence.
pub const ADDRESS_BYTES_MAX: usize = 128;
/// Bytes to a multiple of which the addresses of a presence are padded.
pub const PRESENCE_PAD_BYTES: usize = 512;
/// Bytes of what was seen of a log: a checkpoint with 16 cosignatures, or evidence of two histories.
pub const LOG_CHECKPOINT_BYTES_MAX: usize = RECORD_BYTES_MAX;
/// How long it counts: as long as devices may be without the network.
pub const LOG_CHECKPOINT_LIFE_MAX: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long mail waits (DESIGN section 5).
pub const MAIL_LIFE_MAX: Duration = Duration::from_secs(72 * 3600);
/// Bytes of a mail record.
pub const MAIL_BYTES_MAX: usize = 8 * 1024;
/// Bytes of what a mail says: twice encoded as base64, and signed, it fits a record.
pub const MAIL_CONTENT_BYTES_MAX: usize = 3 * 1024 + 512;
/// Slots of an account for mail of those whom it doesn't know: each look takes as many look-ups.
pub const PUBLIC_SLOTS: u8 = 16;
/// Bytes of an offer of contact: what a QR code of medium size holds, with room.
pub const OFFER_BYTES_MAX: usize = 1024;
/// Addresses in an offer.
pub const OFFER_ADDRESSES_MAX: usize = 4;
/// Offers of an account that are open at a time.
pub const OFFERS_MAX: usize = 64;
/// Numbers of mails of a contact that are looked for though a later one came.
pub const MISSED_MAILS_MAX: usize = 8;
/// Contacts of an account.
pub const CONTACTS_MAX: usize = 1024;
/// Of these, people who ask and whom nobody has answered.
pub const STRANGERS_MAX: usize = 64;
/// Bytes of a message, signed: it must fit a mail.
pub const MESSAGE_BYTES_MAX: usize = MAIL_CONTENT_BYTES_MAX;
/// How long a message may be under way, from mail to mail.
pub const MESSAGE_LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Bytes of a text: it fits a message if few of its characters need escapes.
pub const TEXT_BYTES_MAX: usize = 2048;
/// Messages that one receipt is for.
pub const RECEIPT_IDS_MAX: usize = 32;
/// Bytes of a file's name (`NAME_MAX` of Linux).
pub const FILE_NAME_BYTES_MAX: usize = 255;
/// Bytes of a file that is offered: 16 TiB, what ext4 holds.
pub const FILE_BYTES_MAX: u64 = 1 << 44;
/// Bytes of a piece of a file.
pub const FILE_PIECE_BYTES_MAX: usize = 32 * 1024;
/// Longest life of what a device tells of itself; it is signed again long before.
pub const THING_LIFE_MAX: Duration = Duration::from_secs(90 * 24 * 3600);
/// Bytes of a thing record.
pub const THING_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a serial number, a manufacturer, a model.
pub const THING_WORD_BYTES_MAX: usize = 128;
/// Longest life of a release head; timestamps live days, offline channels months.
pub const HEAD_LIFE_MAX: Duration = Duration::from_secs(400 * 24 * 3600);
/// How long a node keeps any record without hearing it again (Kademlia default, 48 h).
pub const RECORD_TTL_MAX: Duration = Duration::from_secs(48 * 3600);
/// Bytes of what a side of a session signs: a key, a hash and a name.
pub const SESSION_AUTH_BYTES_MAX: usize = 1024;
/// Bytes of a frame of a session: a piece of a file, or a message of 16 KiB twice encoded.
pub const SESSION_FRAME_BYTES_MAX: usize = 64 * 1024;
/// Frames under one key: far from the 2^32 that AES-GCM bears.
pub const EPOCH_FRAMES_MAX: u64 = 4096;
/// Seconds that a key is used for.
pub const EPOCH_SECONDS_MAX: u64 = 600;
/// Epochs that a frame may be ahead: of a whole epoch not a frame may arrive.
pub const EPOCHS_AHEAD_MAX: u32 = 2;
/// Bytes of a chunk, the unit that is verified alone: 256 KiB gave 0.994 of nginx at 20 ms.
pub const CHUNK_BYTES: u64 = 256 * 1024;
/// Bytes of a blob: 16 GiB, so that the chunk level (32 bytes per chunk) stays below 2 MiB.
pub const BLOB_BYTES_MAX: u64 = 16 << 30;
/// Chaining values in one `TREE` frame: 8,192 x 32 bytes = one chunk.
pub const TREE_NODES_MAX: u32 = 8192;
/// Bytes of a frame's body: one chunk and its number, or a map of a 16 GiB blob.
pub const FRAME_BYTES_MAX: u32 = 256 * 1024 + 64;
/// Chunks that one peer may have under way from us: 8 fill 100 Mbit/s at 20 ms.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 8;
/// Chunks that a peer may have asked of us and not yet got.
pub const SERVE_QUEUE_MAX: usize = 64;
/// Requests for chunks that we don't hold, on one stream: our map says what there is.
pub const SERVE_REFUSALS_MAX: u32 = 1024;
/// Peers of one download: with 8 chunks each under way, 40 MiB wait at most.
pub const DOWNLOAD_PEERS_MAX: usize = 20;
/// A peer must deliver a chunk at least this often while it owes one: 8.5 KiB/s.
pub const CHUNK_TIMEOUT: Duration = Duration::from_secs(30);
/// Peers are given this long before an origin is asked.
pub const ORIGIN_GRACE: Duration = Duration::from_secs(2);
/// Copies of one chunk under way at the end of a download.
pub const ENDGAME_COPIES_MAX: usize = 2;
/// Bytes of a private network's name: it names a folder, too.
pub const NETWORK_NAME_BYTES_MAX: usize = 63;
/// Admins of a private network, its founder among them.
pub const NETWORK_ADMINS_MAX: usize = 16;
/// Members of a private network: a list of them stays below half a mebibyte.
pub const NETWORK_MEMBERS_MAX: usize = 1024;
/// Bytes of a charter: 16 admins with the longest names.
pub const CHARTER_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a member list: 1024 members with the longest names.
pub const MEMBERS_BYTES_MAX: usize = 448 * 1024;
/// Longest life of a charter and of a member list: a year, and a month to sign them again.
pub const NETWORK_LIFE_MAX: Duration = Duration::from_secs(400 * 24 * 3600);
/// Bytes of an invitation to a private network: with 8 addresses, each character escaped at worst.
pub const INVITATION_BYTES_MAX: usize = 4 * 1024;
/// Addresses in an invitation.
pub const INVITATION_ADDRESSES_MAX: usize = 8;
