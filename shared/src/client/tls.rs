//! Whom to trust on the way to a bot on another machine, or to any other server.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::FindError;

/// How to encrypt towards a server that is no bot's: it is trusted as the machine trusts it. Where nothing is encrypted
/// nothing is loaded.
pub fn server_tls(is_encrypted: bool) -> Result<ClientConfig, FindError> {
    if is_encrypted { trusting(None) } else { Ok(unused()) }
}

/// Trusts nobody. The HTTP library wants settings even where it will never use TLS, and this costs nothing.
pub(super) fn unused() -> ClientConfig {
    with_roots(RootCertStore::empty())
}

/// Trusts the certificates in the file `ca`, or, without one, what the machine trusts.
pub(super) fn trusting(ca: Option<&Path>) -> Result<ClientConfig, FindError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        let fail = |e: &dyn std::fmt::Display| FindError::Certificates(format!("{}: {e}", path.display()));
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| fail(&e))? {
            roots.add(certificate.map_err(|e| fail(&e))?).map_err(|e| fail(&e))?;
        }
    } else {
        // Some of a machine's certificates may be damaged or of an unknown kind; the others still count.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        let whose =
            ca.map_or_else(|| "this machine has none".to_owned(), |p| format!("{} has none", p.display()));
        return Err(FindError::Certificates(whose));
    }
    Ok(with_roots(roots))
}

fn with_roots(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
