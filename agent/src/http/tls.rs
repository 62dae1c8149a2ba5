//! Encryption: the certificate and key that the settings name (SPEC 9), read anew when their files change.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hive_shared::regular_file;
use hive_shared::trust::{self, Secrecy, TrustError};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::file_id::FileState;

/// How often the files are looked at, at most: when somebody connects.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most bytes of a file of certificates or of a key.
const LONGEST: u64 = 1 << 20;
/// What is spoken once a connection is encrypted.
const ALPN: &[u8] = b"http/1.1";

/// Why connections cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is no PEM file of {what}", path = .path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why it is not.
        #[source]
        source: pem::Error,
    },
    /// There is no certificate in a file.
    #[error("{} has no certificate", .0.display())]
    Empty(PathBuf),
    /// The key may be read or written by others.
    #[error(transparent)]
    Key(#[from] TrustError),
    /// The certificate or the key cannot be used, or they do not belong together.
    #[error("the certificate in {} and the key in {} cannot be used together", .certificate.display(), .key.display())]
    Unfit {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// What encrypts connections.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    now: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    files: [Option<FileState>; 2],
    looked: Instant,
}

impl Tls {
    /// Reads the PEM files of a certificate, followed by those that vouch for it, and of its key, which nobody else may
    /// read.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        // Before the files: what changes meanwhile is read again.
        let files = states([certificate, key]);
        let config = Arc::new(config(certificate, key)?);
        let now = Mutex::new(Current { config, files, looked: Instant::now() });
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), now })
    }

    /// What the next connection is encrypted with. If the files have changed and cannot be used, that is what was used
    /// before.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.looked.elapsed() >= LOOK_EVERY {
            now.looked = Instant::now();
            let files = states([&self.certificate, &self.key]);
            if files != now.files {
                now.files = files;
                match config(&self.certificate, &self.key) {
                    Ok(config) => {
                        now.config = Arc::new(config);
                        tracing::info!(certificate = %self.certificate.display(), "the certificate was read anew");
                    }
                    Err(error) => {
                        let error = format!("{:#}", anyhow::Error::new(error));
                        tracing::error!(error, "the certificate was changed, and the last one stays in use");
                    }
                }
            }
        }
        Arc::clone(&now.config)
    }
}

fn states(paths: [&Path; 2]) -> [Option<FileState>; 2] {
    paths.map(|path| path.metadata().ok().map(|metadata| FileState::of(&metadata)))
}

fn config(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let chain = CertificateDer::pem_slice_iter(&read(certificate, open(certificate)?)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::Pem { path: certificate.to_owned(), what: "certificates", source })?;
    if chain.is_empty() {
        return Err(TlsError::Empty(certificate.to_owned()));
    }
    let opened = open(key)?;
    if trust::check_secret(key, &opened)? == Secrecy::Open {
        tracing::warn!(key = %key.display(), "everybody on this machine may read the key");
    }
    let secret = PrivateKeyDer::from_pem_slice(&read(key, opened)?).map_err(|source| TlsError::Pem {
        path: key.to_owned(),
        what: "a private key",
        source,
    })?;
    let unfit = |source| TlsError::Unfit { certificate: certificate.to_owned(), key: key.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unfit)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

fn open(path: &Path) -> Result<File, TlsError> {
    regular_file::open_behind_links(path).map_err(|source| TlsError::Io { path: path.to_owned(), source })
}

fn read(path: &Path, file: File) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    match file.take(LONGEST).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(TlsError::Io { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn files(dir: &Path) -> [PathBuf; 2] {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| dir.join(name));
        write(&certificate, made.cert.pem()).unwrap();
        write(&key, made.signing_key.serialize_pem()).unwrap();
        set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        [certificate, key]
    }

    fn trouble(certificate: &Path, key: &Path) -> String {
        format!("{:#}", anyhow::Error::new(Tls::read(certificate, key).unwrap_err()))
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let [dir, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [certificate, key] = files(dir.path());
        let [_, strangers] = files(other.path());
        Tls::read(&certificate, &key).unwrap();
        assert!(trouble(&certificate, &strangers).contains("cannot be used together"));
        assert!(trouble(&key, &key).contains("has no certificate"));
        assert!(trouble(&certificate, &certificate).contains("no PEM file of a private key"));
        assert!(trouble(&dir.path().join("nowhere"), &key).contains("nowhere cannot be read"));
        write(&certificate, "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n").unwrap();
        assert!(trouble(&certificate, &key).contains("no PEM file of certificates"));
        set_permissions(&key, Permissions::from_mode(0o646)).unwrap();
        let [certificate, _] = files(other.path());
        assert!(trouble(&certificate, &key).contains("'chmod go-w "));
    }

    #[test]
    fn a_changed_certificate_is_used_and_a_broken_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let [certificate, key] = files(dir.path());
        let tls = Tls::read(&certificate, &key).unwrap();
        let look = || {
            tls.now.lock().unwrap().looked = Instant::now().checked_sub(LOOK_EVERY).unwrap();
            tls.config()
        };
        let first = look();
        assert!(Arc::ptr_eq(&first, &look()));
        write(&certificate, "broken").unwrap();
        assert!(Arc::ptr_eq(&first, &look()));
        files(dir.path());
        let second = look();
        assert!(!Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&second, &look()));
    }
}
