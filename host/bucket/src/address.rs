//! From a bucket's URL and the environment to its object store.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as Name;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, Error, ObjectStore, RetryConfig};

/// What should name a bucket doesn't, or can't be reached from this environment.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {what}")]
pub struct AddressError {
    /// The URL.
    pub url: String,
    /// What is wrong with it, or what the environment lacks.
    pub what: String,
}

/// A cloud, and the variables that it wants, in ways of which one will do.
struct Cloud {
    scheme: &'static str,
    wants: &'static [&'static [&'static str]],
}

const CLOUDS: &[Cloud] = &[
    Cloud {
        scheme: "s3",
        wants: &[
            &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
            &["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"],
            &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
            &["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
            &["AWS_SKIP_SIGNATURE"],
        ],
    },
    Cloud {
        scheme: "gs",
        wants: &[
            &["GOOGLE_SERVICE_ACCOUNT"],
            &["GOOGLE_SERVICE_ACCOUNT_PATH"],
            &["GOOGLE_SERVICE_ACCOUNT_KEY"],
            &["GOOGLE_APPLICATION_CREDENTIALS"],
        ],
    },
    Cloud {
        scheme: "az",
        wants: &[
            &["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"],
            &["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_SAS_KEY"],
            &["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_CLIENT_ID"],
            &["AZURE_STORAGE_USE_EMULATOR"],
        ],
    },
];

/// The objects of a bucket that a URL names, as `s3://bucket/prefix`; `gs` for Google's, `az` for Azure's. Keys and everything else come from
/// the environment variables that these clouds' own tools read. Names are relative to the prefix. Nothing is asked of the bucket yet.
///
/// `client` is how long a connection and a request may take, `retry` how often requests are sent again.
///
/// # Errors
/// [`AddressError`] where this is no bucket's URL, or the environment lacks what its cloud wants.
pub fn open(url: &str, client: ClientOptions, retry: RetryConfig) -> Result<Arc<dyn ObjectStore>, AddressError> {
    let refused = |what: String| AddressError { url: url.to_owned(), what };
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = Name::parse(prefix).map_err(|error| refused(error.to_string()))?;
    if bucket.is_empty() {
        return Err(refused("expected a bucket after `//`, as in s3://bucket/prefix".to_owned()));
    }
    let Some(cloud) = CLOUDS.iter().find(|cloud| cloud.scheme == scheme) else {
        return Err(refused(format!("`{scheme}` is no store; expected s3://, gs:// or az://")));
    };
    if let Some(lacks) = lacks(cloud) {
        return Err(refused(lacks));
    }
    let client = client.with_connect_timeout(Duration::from_secs(5));
    let built: Result<Arc<dyn ObjectStore>, Error> = match scheme {
        "s3" => AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_client_options(with_http(client, "AWS_ALLOW_HTTP"))
            .with_retry(retry)
            .build()
            .map(|store| Arc::new(store) as _),
        "gs" => GoogleCloudStorageBuilder::from_env()
            .with_bucket_name(bucket)
            .with_client_options(client)
            .with_retry(retry)
            .build()
            .map(|store| Arc::new(store) as _),
        _ => MicrosoftAzureBuilder::from_env()
            .with_container_name(bucket)
            .with_client_options(with_http(client, "AZURE_ALLOW_HTTP"))
            .with_retry(retry)
            .build()
            .map(|store| Arc::new(store) as _),
    };
    let store = built.map_err(|error| refused(error.to_string()))?;
    Ok(if prefix.as_ref().is_empty() { store } else { Arc::new(PrefixStore::new(store, prefix)) })
}

/// What the environment lacks for a cloud, as a sentence, where it lacks something. The metadata services of machines aren't asked.
fn lacks(cloud: &Cloud) -> Option<String> {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if cloud.wants.iter().any(|way| way.iter().all(is_set)) {
        return None;
    }
    let missing = cloud.wants[0].iter().filter(|name| !is_set(name)).copied().collect::<Vec<_>>();
    Some(format!("the environment doesn't have {}", missing.join(" and ")))
}

/// Plain HTTP where the environment allows it, as for a store on this machine.
fn with_http(client: ClientOptions, variable: &str) -> ClientOptions {
    let allowed = std::env::var(variable).is_ok_and(|value| matches!(value.as_str(), "1" | "true" | "TRUE"));
    client.with_allow_http(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_no_bucket_s_is_refused_with_what_is_expected() {
        let refused = |url| open(url, ClientOptions::new(), RetryConfig::default()).map(drop).expect_err("no bucket").to_string();
        assert_eq!(refused("ftp://x/y"), "ftp://x/y: `ftp` is no store; expected s3://, gs:// or az://");
        assert_eq!(refused("s3:///y"), "s3:///y: expected a bucket after `//`, as in s3://bucket/prefix");
    }
}
