//! The vault of a cache root: what all its packs share and no trainer may see.
//!
//! ```text
//! <root>/vault/                          mode 0700
//!     shuffle.key                        32 random bytes: the order of records in every pack
//!     fingerprints/<modality>-<decoding>.tsv   what was seen first
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use dfr_contract::pack::file;
use rand::TryRng as _;
use rand::rngs::SysRng;

use crate::files::{self, FileError, at};
use crate::secret::Secret;

const KEY: &str = "shuffle.key";

/// Why the vault cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key that is no key: a new one would silently move every record.
    #[error(
        "{} has {found} bytes and not 32: put the right file back, or remove it for a new order \
         (packs then get other names)",
        .path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: usize,
    },
    /// The system gave no random bytes.
    #[error("cannot draw a key for {}: {source}", .path.display())]
    Random {
        /// The file that was to be made.
        path: PathBuf,
        /// What the system said.
        source: rand::rngs::SysError,
    },
}

/// An open vault. Locked until dropped: one `dfr` at a time packs below a root.
#[derive(Debug)]
pub struct Vault {
    root: PathBuf,
    _lock: File,
}

impl Vault {
    /// Opens the vault of a cache root, and makes it if there is none.
    ///
    /// # Errors
    /// The disk.
    pub fn open(root: &Path) -> Result<Self, FileError> {
        let dir = root.join(file::VAULT);
        files::create_private_dir(&dir)?;
        Ok(Self { root: root.to_owned(), _lock: files::lock(&dir)? })
    }

    /// The cache root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The secret of this root; drawn once.
    ///
    /// # Errors
    /// The disk, a damaged key, no random bytes.
    pub fn secret(&self) -> Result<Secret, VaultError> {
        let path = self.key();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => draw(&path)?.to_vec(),
            Err(error) => return Err(at("read", &path)(error).into()),
        };
        let key = <[u8; 32]>::try_from(bytes.as_slice());
        key.map(|key| Secret::new(&key)).map_err(|_| VaultError::Key { path, found: bytes.len() })
    }

    /// The file of the secret.
    pub fn key(&self) -> PathBuf {
        self.dir().join(KEY)
    }

    /// The file of fingerprints for one way of decoding; its directory is there.
    ///
    /// # Errors
    /// The disk.
    pub fn fingerprints(&self, name: &str) -> Result<PathBuf, FileError> {
        let dir = self.dir().join("fingerprints");
        files::create_private_dir(&dir)?;
        Ok(dir.join(format!("{name}.tsv")))
    }

    fn dir(&self) -> PathBuf {
        self.root.join(file::VAULT)
    }
}

fn draw(path: &Path) -> Result<[u8; 32], VaultError> {
    let mut key = [0; 32];
    let random = |source| VaultError::Random { path: path.to_owned(), source };
    SysRng.try_fill_bytes(&mut key).map_err(random)?;
    files::write_private(path, &key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn name(root: &Path) -> String {
        Vault::open(root).unwrap().secret().unwrap().name("content")
    }

    #[test]
    fn a_root_draws_one_key_and_keeps_it_and_another_root_draws_another() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let first = name(one.path());
        assert_eq!(name(one.path()), first);
        assert_ne!(name(other.path()), first);
        let mode =
            |path: &str| fs::metadata(one.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("vault"), mode("vault/shuffle.key")), (0o700, 0o600));
    }

    #[test]
    fn a_vault_that_others_could_read_is_closed_and_a_damaged_key_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("vault");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.join(KEY), [7; 31]).unwrap();
        let vault = Vault::open(root.path()).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        let error = vault.secret().unwrap_err().to_string();
        assert!(error.contains("shuffle.key has 31 bytes"), "{error}");
        assert_eq!(fs::read(dir.join(KEY)).unwrap(), [7; 31], "it is not replaced");
    }
}
