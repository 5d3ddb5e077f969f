//! What can go wrong between here and the hub.

use std::time::Duration;

/// Why something could not be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HubError {
    /// 401 or 403.
    #[error(
        "{url}: refused ({status}): it is gated, private or not there; set HF_TOKEN to a token that may \
         read it, and accept its terms on its page"
    )]
    Gated {
        /// What was asked for.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// 404 or 410.
    #[error("{url}: not there ({status})")]
    Missing {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
    },
    /// 429, again and again, or for longer than is waited.
    #[error(
        "{url}: too many requests{}: run it again later, with HF_TOKEN or fewer --workers",
        .wait.map_or_else(String::new, |wait| format!(" (wait {} s)", wait.as_secs()))
    )]
    RateLimited {
        /// What was asked for.
        url: String,
        /// What the hub asks to wait.
        wait: Option<Duration>,
    },
    /// 5xx, again and again.
    #[error("{url}: the server failed ({status}): run it again later")]
    Server {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
    },
    /// Any other status.
    #[error("{url}: unexpected answer ({status})")]
    Refused {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
    },
    /// No connection, none that lasted, or none fast enough.
    #[error("{url}: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What the connection said.
        reason: String,
    },
    /// The whole file instead of the range: reading it all would cost more than is wanted.
    #[error("{url}: the server does not serve ranges")]
    NoRanges {
        /// What was asked for.
        url: String,
    },
    /// Other bytes than the listing says.
    #[error("{url}: wrong content: sha256 is {found}, the listing says {expected}")]
    WrongHash {
        /// What was asked for.
        url: String,
        /// Of the listing.
        expected: String,
        /// Of what came.
        found: String,
    },
    /// An answer that is not what the hub's API gives.
    #[error("{url}: not an answer of the hub: {reason}")]
    Malformed {
        /// What was asked for.
        url: String,
        /// Why.
        reason: String,
    },
    /// The byte budget is spent.
    #[error("the byte budget is spent: raise --max-gb")]
    Budget,
}

impl HubError {
    /// Whether the same request may succeed a little later.
    pub fn passes(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Server { .. } | Self::Unreachable { .. })
    }

    /// Whether it is about one file and no other.
    pub fn is_about_one_file(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Refused { .. }
                | Self::WrongHash { .. }
                | Self::Server { .. }
                | Self::NoRanges { .. }
                | Self::Malformed { .. }
        )
    }
}
