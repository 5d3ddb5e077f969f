//! The oldest commit of a history: what all clones of a project share.

use super::{Repository, RepositoryError};

impl Repository {
    /// The root commit that is reached from a commit by first parents (full object id).
    ///
    /// # Errors
    /// An unknown commit.
    pub fn root(&self, commit: &str) -> Result<String, RepositoryError> {
        let mut oldest = self.commit_at(commit)?;
        while let Ok(parent) = oldest.parent(0) {
            oldest = parent;
        }
        Ok(oldest.id().to_string())
    }
}
