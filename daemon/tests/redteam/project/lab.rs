//! What the researcher wants improved.

/// Called first in every phase.
pub fn begin() {}
