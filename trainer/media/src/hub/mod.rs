//! The hub: what a data set's repository holds, and ranges of its files, over its public HTTP API.
//!
//! Pure: [`patience`], [`budget`]. Effects: [`client`], [`listing`], [`remote`].

pub mod budget;
pub mod client;
mod error;
pub mod listing;
pub mod patience;
pub mod remote;

pub use error::HubError;
