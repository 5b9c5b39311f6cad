//! The HTTP client under the SDK: TLS by rustls with ring, proxies only towards other machines, and, when the user asks
//! for it (`--no-verify-ssl`), trust in any certificate, which the SDK's own client does not offer.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::config::SharedHttpClient;
use aws_sdk_lambda::primitives::SdkBody;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::error::find;
use super::settings::Settings;
use super::{ClientError, Target};

/// Which certificates are trusted.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    trust: Trust,
}

#[derive(Debug, Clone)]
enum Trust {
    /// Plain HTTP: the machine's certificates are not even read.
    Nobody,
    Machine,
    Bundle(Vec<u8>),
    Anybody,
}

impl Tls {
    pub(super) fn none() -> Self {
        Self { trust: Trust::Nobody }
    }

    pub(super) fn new(target: &Target, settings: &Settings) -> Result<Self, ClientError> {
        if !target.verify_tls {
            return Ok(Self { trust: Trust::Anybody });
        }
        let bundle = target
            .ca_bundle
            .clone()
            .or_else(|| settings.variable("AWS_CA_BUNDLE").map(PathBuf::from))
            .or_else(|| settings.profile_setting("ca_bundle").map(PathBuf::from));
        let trust = match bundle {
            None => Trust::Machine,
            Some(path) => match std::fs::read(&path) {
                Ok(pem) if is_bundle(&pem) => Trust::Bundle(pem),
                // The AWS CLI looks at the bundle only when it makes a TLS connection.
                _ if settings.is_plain_http() => Trust::Machine,
                _ => return Err(ClientError::NoCaBundle(path)),
            },
        };
        Ok(Self { trust })
    }

    pub(super) fn client(&self, through_proxy: bool) -> SharedHttpClient {
        let trust = self.trust.clone();
        http_client_fn(move |settings, components| match &trust {
            Trust::Anybody => SharedHttpConnector::new(TrustingConnector::new(settings)),
            trust => {
                let roots = match trust {
                    Trust::Machine => TrustStore::empty().with_native_roots(true),
                    Trust::Bundle(pem) => TrustStore::empty().with_pem_certificate(pem.clone()),
                    Trust::Nobody | Trust::Anybody => TrustStore::empty(),
                };
                let context = TlsContext::builder().with_trust_store(roots).build().expect("checked when it was read");
                let proxy = if through_proxy { ProxyConfig::from_env() } else { ProxyConfig::disabled() };
                let mut connector = Connector::builder().connector_settings(settings.clone()).proxy_config(proxy);
                connector.set_sleep_impl(components.sleep_impl());
                SharedHttpConnector::new(
                    connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build(),
                )
            }
        })
    }
}

fn is_bundle(pem: &[u8]) -> bool {
    let mut roots = RootCertStore::empty();
    let all_good = CertificateDer::pem_slice_iter(pem)
        .all(|certificate| certificate.is_ok_and(|certificate| roots.add(certificate).is_ok()));
    all_good && !roots.is_empty()
}

/// A connector that trusts any certificate. It knows no proxy.
#[derive(Debug)]
struct TrustingConnector {
    client: legacy::Client<HttpsConnector<legacy::connect::HttpConnector>, SdkBody>,
    read_timeout: Option<Duration>,
}

impl TrustingConnector {
    fn new(settings: &HttpConnectorSettings) -> Self {
        let mut tcp = legacy::connect::HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(settings.connect_timeout());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring knows the default versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAnybody { provider }))
            .with_no_client_auth();
        let https =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let client = legacy::Client::builder(TokioExecutor::new()).build(https);
        Self { client, read_timeout: settings.read_timeout() }
    }
}

impl HttpConnector for TrustingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(failure) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(failure.into())));
            }
        };
        let answer = self.client.request(request);
        let read_timeout = self.read_timeout;
        HttpConnectorFuture::new(async move {
            let answer = match read_timeout {
                Some(limit) => tokio::time::timeout(limit, answer)
                    .await
                    .map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?,
                None => answer.await,
            };
            let response = answer.map_err(|failure| {
                let timed_out = find::<std::io::Error>(&failure).is_some_and(|io| io.kind() == ErrorKind::TimedOut);
                if timed_out { ConnectorError::timeout(failure.into()) } else { ConnectorError::io(failure.into()) }
            })?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|failure| ConnectorError::other(failure.into(), None))
        })
    }
}

#[derive(Debug)]
struct TrustAnybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for TrustAnybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
