//! The file of a day: a JSON object a line, packed by gzip, made while it is read.
//!
//! The same rows make the same bytes, so that two files are compared by what the bucket says of them.
//! (A release that packs otherwise exports five weeks once more, which costs nothing but time.)

use std::time::Duration;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::stream;
use nova_blobs::{BoxError, Incoming, incoming};
use nova_store::{Error, Store, UsageRow};
use time::Date;
use tokio::time::sleep;

use crate::rows::{self, Pseudonyms};

/// Some hundred kilobytes.
const PAGE: u32 = 2000;
/// A connection may have died, or the database be restarted.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

struct Packing {
    store: Store,
    pseudonyms: Pseudonyms,
    day: Date,
    last: Option<UsageRow>,
    packer: GzEncoder<Vec<u8>>,
}

/// The bytes of a day, in constant memory.
pub(crate) fn file(store: &Store, pseudonyms: &Pseudonyms, day: Date) -> Incoming {
    let packing = Packing {
        store: store.clone(),
        pseudonyms: pseudonyms.clone(),
        day,
        last: None,
        packer: GzEncoder::new(Vec::new(), Compression::default()),
    };
    incoming(stream::try_unfold(Some(packing), |packing| async move {
        match packing {
            Some(packing) => packing.next().await.map(Some),
            None => Ok(None),
        }
    }))
}

impl Packing {
    /// The next bytes, and what is still to come.
    async fn next(mut self) -> Result<(Bytes, Option<Self>), BoxError> {
        let page = self.page().await?;
        for row in &page {
            rows::write(&mut self.packer, row, &self.pseudonyms)?;
        }
        if page.len() < PAGE as usize {
            return Ok((self.packer.finish()?.into(), None));
        }
        self.last = page.into_iter().next_back();
        let packed = std::mem::take(self.packer.get_mut());
        Ok((packed.into(), Some(self)))
    }

    async fn page(&self) -> Result<Vec<UsageRow>, Error> {
        let mut tries = 1;
        loop {
            let page = self.store.usage_of_day(self.day, self.last.as_ref(), PAGE);
            match page.await {
                Err(error) if error.is_retryable() && tries < TRIES => {
                    tracing::warn!(%error, "a page of usage is asked for again");
                    sleep(PAUSE).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }
}
