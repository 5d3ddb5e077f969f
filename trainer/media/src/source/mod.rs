//! From a data set's repository to samples on disk: what to fetch, out of which containers, and how
//! it is kept.
//!
//! Pure: [`choice`], [`kind`], [`columns`], [`sniff`]. Effects: the containers, [`store`], [`fetch`],
//! [`crew`].

pub mod choice;
pub mod columns;
pub mod configs;
pub mod crew;
pub mod fetch;
pub mod kind;
mod parquet;
mod raw;
mod session;
mod shard;
pub mod sniff;
pub mod store;
mod tar;
mod zip;
