//! Whom to trust on the way to a bot, or to any other server.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::{FindError, Trust};

/// How to encrypt towards a server that is no bot's: it is trusted as the machine trusts it. Where nothing is encrypted
/// nothing is loaded.
pub fn server_tls(is_encrypted: bool) -> Result<ClientConfig, FindError> {
    if is_encrypted { trusting(&Trust::Machine) } else { Ok(unused()) }
}

/// Trusts nobody. The HTTP library wants settings even where it will never use TLS, and this costs nothing.
pub(super) fn unused() -> ClientConfig {
    with_roots(RootCertStore::empty())
}

/// Trusts whom it is told to.
pub(super) fn trusting(trust: &Trust) -> Result<ClientConfig, FindError> {
    match trust {
        Trust::Machine => {
            let mut roots = RootCertStore::empty();
            // Some of a machine's certificates may be damaged or of an unknown kind; the others still count.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(FindError::Certificates("this machine has none".to_owned()));
            }
            Ok(with_roots(roots))
        }
        Trust::These(path) => {
            let trusted = certificates(path)?;
            let mut roots = RootCertStore::empty();
            for certificate in &trusted {
                roots.add(certificate.clone()).map_err(|error| unfit(path, &error))?;
            }
            let vouched = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
                .build()
                .map_err(|error| unfit(path, &error))?;
            Ok(with_verifier(Named { trusted, vouched: Some(vouched), provider: provider() }))
        }
        Trust::Exactly(path) => {
            let trusted = certificates(path)?.drain(..1).collect();
            Ok(with_verifier(Named { trusted, vouched: None, provider: provider() }))
        }
    }
}

/// What is wrong with the certificate that the other side has shown, if that is why something failed.
pub(super) fn distrust(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(match why {
                CertificateError::UnknownIssuer => {
                    "nobody who is trusted vouches for its certificate".to_owned()
                }
                CertificateError::ApplicationVerificationFailure => {
                    "it shows another certificate than the bot's".to_owned()
                }
                // As the library below has it, which has no type of its own for us.
                other if other.to_string().contains("CaUsedAsEndEntity") => {
                    "its certificate vouches for itself, and nobody has said to trust it".to_owned()
                }
                other => format!("its certificate does not hold: {other}"),
            });
        }
        // An error that is wrapped by one of input and output is not its source but in it.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = inner.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}

/// The certificates in a PEM file, of which there is at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FindError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err(FindError::Certificates(format!("{} has none", path.display()))),
        Ok(found) => Ok(found),
        Err(error) => Err(unfit(path, &error)),
    }
}

fn unfit(path: &Path, error: &dyn std::fmt::Display) -> FindError {
    FindError::Certificates(format!("{}: {error}", path.display()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
}

fn with_roots(roots: RootCertStore) -> ClientConfig {
    builder().with_root_certificates(roots).with_no_client_auth()
}

fn with_verifier(verifier: Named) -> ClientConfig {
    builder().dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
}

/// Trusts the very certificates that somebody has named, and what they vouch for. A certificate that vouches for itself
/// alone, as a bot's often does, is no authority's, and the usual verifier refuses it. That its owner holds the key is
/// asked for in any case.
#[derive(Debug)]
struct Named {
    trusted: Vec<CertificateDer<'static>>,
    /// Whether they vouch for others.
    vouched: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.trusted.iter().any(|trusted| trusted == shown) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.vouched {
            Some(vouched) => vouched.verify_server_cert(shown, between, name, ocsp, now),
            None => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
