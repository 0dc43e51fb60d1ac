//! TLS on both sides, by certificates in PEM files. Only HTTP/1.1 is spoken, so that one connection carries one call.

use crate::Error;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let what = path.display().to_string();
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|e| Error::tls(&what, e))?.collect();
    let found = found.map_err(|e| Error::tls(&what, e))?;
    if found.is_empty() { Err(Error::tls(what, "there is no certificate in it")) } else { Ok(found) }
}

/// A client that trusts this authority alone.
pub fn client(authority: &Path) -> Result<Arc<ClientConfig>, Error> {
    let what = authority.display().to_string();
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority)? {
        roots.add(certificate).map_err(|e| Error::tls(&what, e))?;
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| Error::tls(&what, e))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A server with this certificate.
pub fn server(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Error> {
    let what = certificate.display().to_string();
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| Error::tls(key.display().to_string(), e))?;
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| Error::tls(&what, e))?.with_no_client_auth();
    let mut config = builder.with_single_cert(certificates(certificate)?, secret).map_err(|e| Error::tls(&what, e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
