//! Entries for a mirror as they come, piece by piece: a package is in memory, and nothing else of an upload.

use std::io;

use axum::body::Bytes;
use futures::{Stream, StreamExt as _};
use tlog::mirror::{Incoming, Malformed, Package, Upload};

use super::mirror::{MirrorError, Receiving};
use super::{Answer, Witness, busy};
use crate::clock::unix_now;

/// Packages after which those that were taken count, even if the rest never comes.
const PACKAGES_SETTLED: usize = 16;

/// What comes, and what of it isn't used yet.
struct Body<S> {
    pieces: S,
    incoming: Incoming,
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Body<S> {
    /// The next of what `read` finds; `None` if the body ends before.
    async fn next<T>(
        &mut self,
        read: impl Fn(&mut Incoming) -> Result<Option<T>, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        loop {
            if let Some(found) = read(&mut self.incoming)? {
                return Ok(Some(found));
            }
            match self.pieces.next().await {
                Some(Ok(piece)) => self.incoming.push(&piece),
                // One that was cut off is one that ended here.
                None | Some(Err(_)) => return Ok(None),
            }
        }
    }
}

impl Witness {
    /// Answers a submitter of entries.
    ///
    /// * `pieces`: the body of `add-entries`.
    pub async fn add_entries(
        &self,
        pieces: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Answer {
        let Ok(_place) = self.uploads.try_acquire() else {
            return busy();
        };
        let body = Body {
            pieces,
            incoming: Incoming::default(),
        };
        self.receive(body).await.unwrap_or_else(|answer| answer)
    }

    async fn receive(
        &self,
        mut body: Body<impl Stream<Item = io::Result<Bytes>> + Unpin>,
    ) -> Result<Answer, Answer> {
        let upload = body.next(Incoming::upload).await.map_err(refused)?;
        let upload = upload.ok_or_else(|| refused(Malformed))?;
        let mut receiving = self.begin(upload.clone()).await?;
        let mut taken = 0_usize;
        let mut is_whole = true;
        for range in upload.packages() {
            let count = range.end.saturating_sub(range.start);
            let package = body.next(|incoming| incoming.package(count)).await;
            let Ok(Some(package)) = package else {
                is_whole = false;
                break;
            };
            let settles = taken % PACKAGES_SETTLED == PACKAGES_SETTLED - 1;
            receiving = self.take(receiving, (range, package), settles).await?;
            taken = taken.saturating_add(1);
        }
        self.end(receiving, is_whole, taken).await
    }

    async fn begin(&self, upload: Upload) -> Result<Receiving, Answer> {
        let begun = self.run(move |core| match &core.mirror {
            Some(mirror) => mirror.begin(&core.place, &upload),
            None => Err(Answer::text(404, "this witness keeps no entries")),
        });
        begun.await?
    }

    async fn take(
        &self,
        mut receiving: Receiving,
        (range, package): (std::ops::Range<u64>, Package),
        settles: bool,
    ) -> Result<Receiving, Answer> {
        let taken = self.run(move |_| -> Result<Option<Receiving>, MirrorError> {
            if !receiving.take(&range, &package)? {
                return Ok(None);
            }
            if settles {
                receiving.settle()?;
            }
            Ok(Some(receiving))
        });
        let no = || Answer::text(422, "the log's tree does not contain these entries");
        taken.await??.ok_or_else(no)
    }

    /// What was taken counts; if that is all, it is cosigned.
    async fn end(
        &self,
        receiving: Receiving,
        is_whole: bool,
        taken: usize,
    ) -> Result<Answer, Answer> {
        let ended = self.run(move |core| -> Result<Answer, MirrorError> {
            receiving.settle()?;
            match &core.mirror {
                Some(mirror) if is_whole => mirror.finish(&receiving, unix_now()),
                _ if taken > 0 => Ok(receiving.info(202)),
                _ => Ok(refused(Malformed)),
            }
        });
        Ok(ended.await??)
    }
}

fn refused(malformed: Malformed) -> Answer {
    Answer::text(400, malformed)
}
