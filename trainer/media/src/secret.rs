//! What only the owner of a cache root knows: the order of records. Pure.
//!
//! A key that stands in the source would let whoever knows the file names of a public data set
//! compute the order, and so the labels.

use std::fmt;

/// Hex digits of a pack's name: enough that two never meet.
const NAME_DIGITS: usize = 32;

/// Keys drawn from the 32 random bytes of one cache root, one for each use.
#[derive(Clone)]
pub struct Secret {
    order: [u8; 32],
    name: [u8; 32],
}

impl Secret {
    /// Derives the keys.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let derive = |context| blake3::derive_key(context, bytes);
        Self { order: derive("dfr 2 order of records"), name: derive("dfr 2 name of a pack") }
    }

    /// Sorting by this puts files into a shuffle in which added files move no others.
    pub fn order(&self, file: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.order, file.as_bytes()).as_bytes()
    }

    /// Names a content. Without the secret the name tells nothing of what went into it.
    pub fn name(&self, content: &str) -> String {
        let mut name = blake3::keyed_hash(&self.name, content.as_bytes()).to_hex().to_string();
        name.truncate(NAME_DIGITS);
        name
    }
}

/// Never printed.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_secret_gives_another_order_and_another_name() {
        let [one, other] = [[1; 32], [2; 32]].map(|bytes| Secret::new(&bytes));
        let files: Vec<String> = (0..50).map(|n| format!("set/{n:06}.mp4")).collect();
        let order = |secret: &Secret| {
            let mut files = files.clone();
            files.sort_by_cached_key(|file| secret.order(file));
            files
        };
        assert_ne!(order(&one), order(&other));
        assert_ne!(one.name("content"), other.name("content"));
        assert_eq!(one.name("content"), Secret::new(&[1; 32]).name("content"));
        assert_eq!(format!("{one:?}"), "Secret");
    }
}
