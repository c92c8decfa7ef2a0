//! Dead letters: shown, sent again, let go.

use bytes::Bytes;
use serde::Serialize;

use super::answers::Letter;
use super::engine::{Engine, Leave, blocking};
use super::options::{CallOptions, ReplayOptions, parse};
use super::pure::{json, raw};
use crate::error::{Error, ErrorCode, Result};
use crate::model::Record;
use crate::state::{DeadLetter, LetterFilter};

impl Engine {
    /// Dead letters: a JSON array of [`Letter`]. `options` is [`LetterFilter`].
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn dead_letters(&self, options: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let filter: LetterFilter = parse(&options)?;
        let store = self.inner.store.clone();
        let letters = blocking(move || store.dead_letters(&filter)).await?;
        let letters: Vec<Letter> = letters.into_iter().map(show).collect::<Result<_>>()?;
        json(&letters, 4096)
    }

    /// Rebuilds dead letters from their canonical records and sends them again under their own idempotency keys.
    /// `options` is [`ReplayOptions`]; the answer is [`super::answers::RunReport`]. A letter whose record is refused now stays a letter
    /// and stands in the report's `rejected`; its position is the letter's place in the answer of `dead_letters`.
    ///
    /// # Errors
    /// `invalid_config`, `state_*`, `closed`.
    pub async fn replay(&self, options: Bytes) -> Result<Vec<u8>> {
        self.alive()?;
        let ReplayOptions { filter, fixes } = parse(&options)?;
        let run = self.run_of(&mut CallOptions::default())?;
        let _leave = Leave { runs: &self.inner.runs, run: &run };
        let turn = self.inner.order.clone().lock_owned().await;
        let inner = self.inner.clone();
        let id = run.clone();
        blocking(move || {
            let now = inner.clock.now();
            let letters = inner.store.dead_letters(&filter)?;
            let redraft = inner.desk.redraft(letters, fixes, now)?;
            inner.runs.intake(&id, &redraft.intaken);
            inner.store.replay(&redraft.replays, Some(&id), now)?;
            inner.store.discard(&redraft.discarded)?;
            Ok(())
        })
        .await?;
        drop(turn);
        for (at, outlet) in self.inner.outlets.iter().enumerate() {
            if self.inner.runs.under_way(&run, at).0 > 0 {
                self.inner.runs.resumed(at);
                outlet.delivery.wake();
            }
        }
        self.settle(&run, 0).await;
        json(&self.finish(&run).await?, 2048)
    }

    /// Removes dead letters for good. `options` is [`LetterFilter`]; the answer is `{"discarded": n}`.
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn discard(&self, options: Bytes) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Discarded {
            discarded: u64,
        }
        self.alive()?;
        let filter: LetterFilter = parse(&options)?;
        let store = self.inner.store.clone();
        let discarded = blocking(move || {
            let ids: Vec<u64> = store.dead_letters(&filter)?.iter().map(|letter| letter.id).collect();
            store.discard(&ids)
        })
        .await?;
        json(&Discarded { discarded }, 32)
    }
}

fn show(letter: DeadLetter) -> Result<Letter> {
    let record: Record = serde_json::from_slice(&letter.record)
        .map_err(|error| Error::new(ErrorCode::StateCorrupt, "the record of a dead letter cannot be read").because(error))?;
    Ok(Letter {
        id: letter.id,
        destination: letter.destination,
        endpoint: letter.operation.endpoint.into_owned(),
        idempotency_key: letter.operation.idempotency_key.as_str().to_owned(),
        code: letter.failure.refusal.code.0.name().to_owned(),
        vendor_code: letter.failure.refusal.vendor_code,
        message: letter.failure.refusal.message,
        status: letter.failure.status,
        response: letter.failure.response,
        attempts: letter.failure.attempts,
        died_at: letter.died_at,
        correlation_id: letter.operation.correlation_id.as_str().to_owned(),
        run: letter.run,
        position: letter.position,
        record,
        body: raw(&letter.operation.body)?,
    })
}
