//! The stateful handle behind `Sync`.

use bytes::Bytes;

use crate::error::{Error, ErrorCode, Result};

/// A source, a destination and a state, working together. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {}

impl Engine {
    /// Opens an engine. Call it inside a tokio runtime that lives as long as the engine. `options` is
    /// [`super::options::SyncOptions`].
    ///
    /// # Errors
    /// `invalid_config`, `unknown_name`, `state_*`.
    pub async fn open(options: &[u8]) -> Result<Engine> {
        let _ = options;
        Err(Error::new(ErrorCode::Unsupported, "x"))
    }

    /// What would be sent, without sending or remembering anything. `options` is [`super::options::CallOptions`]; the
    /// answer is [`super::answers::Plan`].
    ///
    /// # Errors
    /// `invalid_config`, `state_*`, `closed`.
    pub async fn plan(&self, options: Bytes, data: Bytes) -> Result<Vec<u8>> {
        let _ = (options, data);
        Err(Error::new(ErrorCode::Unsupported, "x"))
    }

    /// Accepts, sends and waits for the verdicts. The answer is [`super::answers::RunReport`]: of this call, or of the
    /// run so far when `run` is given.
    ///
    /// # Errors
    /// `invalid_config`, `state_*`, `closed`.
    pub async fn deliver(&self, options: Bytes, data: Bytes) -> Result<Vec<u8>> {
        self.plan(options, data).await
    }

    /// Commits to the outbox and answers; delivery goes on in the background. The answer is [`super::answers::Receipt`].
    ///
    /// # Errors
    /// `invalid_config`, `state_*`, `closed`.
    pub async fn accept(&self, options: Bytes, data: Bytes) -> Result<Vec<u8>> {
        self.plan(options, data).await
    }

    /// Begins a run that several `deliver` calls belong to. `options` is [`super::options::CallOptions`]; the answer is
    /// `{"run": "…"}`.
    ///
    /// # Errors
    /// `invalid_config`, `closed`.
    pub async fn start_run(&self, options: Bytes) -> Result<Vec<u8>> {
        self.plan(options, Bytes::new()).await
    }

    /// Waits for what the run still has under way, keeps its report and answers it: [`super::answers::RunReport`].
    ///
    /// # Errors
    /// `invalid_input` for a run this engine does not know, `state_*`, `closed`.
    pub async fn finish_run(&self, run: &str) -> Result<Vec<u8>> {
        self.plan(Bytes::copy_from_slice(run.as_bytes()), Bytes::new()).await
    }

    /// How the runs under way stand: a JSON array of [`super::answers::Progress`]. Never waits.
    #[must_use]
    pub fn progress(&self) -> Vec<u8> {
        b"[]".to_vec()
    }

    /// Waits until nothing waits for the destination any more. `options` is [`super::options::FlushOptions`]; the answer
    /// is [`super::answers::Flushed`].
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn flush(&self, options: Bytes) -> Result<Vec<u8>> {
        self.plan(options, Bytes::new()).await
    }

    /// Dead letters: a JSON array of [`super::answers::Letter`]. `options` is [`crate::state::LetterFilter`].
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn dead_letters(&self, options: Bytes) -> Result<Vec<u8>> {
        self.plan(options, Bytes::new()).await
    }

    /// Rebuilds dead letters from their canonical records and sends them again under their own idempotency keys.
    /// `options` is [`super::options::ReplayOptions`]; the answer is [`super::answers::RunReport`].
    ///
    /// # Errors
    /// `invalid_config`, `state_*`, `closed`.
    pub async fn replay(&self, options: Bytes) -> Result<Vec<u8>> {
        self.plan(options, Bytes::new()).await
    }

    /// Removes dead letters for good. `options` is [`crate::state::LetterFilter`]; the answer is `{"discarded": n}`.
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn discard(&self, options: Bytes) -> Result<Vec<u8>> {
        self.plan(options, Bytes::new()).await
    }

    /// The reports of the newest runs: a JSON array of [`super::answers::RunReport`].
    ///
    /// # Errors
    /// `state_*`, `closed`.
    pub async fn runs(&self, limit: u32) -> Result<Vec<u8>> {
        let _ = limit;
        self.plan(Bytes::new(), Bytes::new()).await
    }

    /// Whether the destination takes the credentials, without side effects: [`super::answers::CheckReport`].
    ///
    /// # Errors
    /// `closed`.
    pub async fn check(&self) -> Result<Vec<u8>> {
        self.plan(Bytes::new(), Bytes::new()).await
    }

    /// Stops delivery, gives back what was claimed and closes the state. What waits stays in the outbox. Closing twice is
    /// fine.
    ///
    /// # Errors
    /// `state_*`.
    pub async fn close(&self) -> Result<()> {
        Ok(())
    }
}
