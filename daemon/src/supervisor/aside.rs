//! Work on many files beside the loop. A candidate may have left millions of them; the loop waits, and
//! tells the service manager meanwhile that it lives.

use std::panic::resume_unwind;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::Session;

/// How long a directory of build products may take to be copied, or millions of files to be removed,
/// before that counts as hung.
const MOST: Duration = Duration::from_secs(1800);

impl Session {
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let done = self.service.during(MOST, spawn_blocking(work)).await;
        done.unwrap_or_else(|failed| resume_unwind(failed.into_panic()))
    }
}
