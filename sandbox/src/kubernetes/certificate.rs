//! The world's certificate authority for Kubernetes, and server certificates made from it.
//! Must not know clusters: all of them are served under one certificate.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;

use crate::world::Moment;

/// Certificate and key of the authority, in one file so that they always belong together.
const FILE: &str = "kubernetes-ca.pem";
const KEY_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";

/// What went wrong with a certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file in the world folder.
    #[error("the Kubernetes certificate authority in the world folder cannot be read or written")]
    File(#[from] std::io::Error),
    /// Making a certificate.
    #[error("a certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// Using it.
    #[error("the certificate cannot be served")]
    Serve(#[from] rustls::Error),
}

/// The authority's certificate as EKS gives it out: PEM in base64. Made if the world has none yet.
///
/// # Panics
/// When the world folder cannot be read or written, as for every state that must be durable.
pub fn certificate_authority(cx: &Moment<'_>) -> String {
    let pem = authority(cx.dir).unwrap_or_else(|error| panic!("{error}: {}", cx.dir.display()));
    let end = pem.find(KEY_BEGIN).unwrap_or(pem.len());
    base64::engine::general_purpose::STANDARD.encode(&pem[..end])
}

/// A TLS configuration with a fresh server certificate for 127.0.0.1 and localhost, good for a year from today.
///
/// # Errors
/// When the world folder cannot be read or written, or holds no usable authority.
pub fn server_config(dir: &Path) -> Result<Arc<ServerConfig>, CertificateError> {
    let pem = authority(dir)?;
    let start = pem.find(KEY_BEGIN).unwrap_or(0);
    let issuer = Issuer::new(authority_params(), KeyPair::from_pem(&pem[start..])?);
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "hprun sandbox kubernetes");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |date: jiff::civil::Date| {
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(today.yesterday().unwrap_or(today));
    params.not_after = day(today.saturating_add(jiff::Span::new().days(366)));
    let certificate = params.signed_by(&key, &issuer)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn authority(dir: &Path) -> Result<String, CertificateError> {
    // The server and the first EKS cluster may ask at the same time; both must get the one authority.
    static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(pem) => return Ok(pem),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let key = KeyPair::generate()?;
    let certificate = authority_params().self_signed(&key)?;
    let pem = format!("{}{}", certificate.pem(), key.serialize_pem());
    let draft = dir.join(format!("{FILE}.new"));
    let mut options = std::fs::File::options();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, &path)?;
    Ok(pem)
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "hprun sandbox kubernetes authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}
