//! Where a store is: a local directory, a bucket, or memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as Name;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, Error, ObjectStore, RetryConfig};

use crate::error::CheckpointError;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory of a local file system.
    Directory(PathBuf),
    /// A bucket and what its objects' names begin with, as `s3://bucket/prefix`; `gs` for Google's, `az` for Azure's. Keys and everything
    /// else come from the environment variables that these clouds' own tools read.
    Bucket(String),
    /// This process's memory: gone with the store.
    Memory,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Bucket(url) => f.write_str(url),
            Self::Memory => f.write_str("memory:"),
        }
    }
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

impl Location {
    /// Reads what a command was given: a URL, `memory:`, or else the path of a directory.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "memory:" => Self::Memory,
            text if text.contains("://") => Self::Bucket(text.to_owned()),
            path => Self::Directory(path.into()),
        }
    }

    /// The objects of a bucket; nothing is asked of it yet.
    pub(super) fn bucket(url: &str) -> Result<Arc<dyn ObjectStore>, CheckpointError> {
        let refused = |what: String| CheckpointError::Address { url: url.to_owned(), what };
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
        // How long a request may take depends on its bytes: `requests.rs` sees to that.
        let client = ClientOptions::new().with_connect_timeout(Duration::from_secs(5)).with_timeout_disabled();
        // Requests are sent again by `requests.rs`, and parts of uploads, which only the client can send again, here.
        let retry = RetryConfig { max_retries: 2, retry_timeout: Duration::from_secs(10), ..RetryConfig::default() };
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
    fn a_store_s_place_is_a_path_unless_it_is_a_url() {
        assert_eq!(Location::of("memory:"), Location::Memory);
        assert_eq!(Location::of("s3://bucket/prefix"), Location::Bucket("s3://bucket/prefix".to_owned()));
        assert_eq!(Location::of("./store"), Location::Directory("./store".into()));
    }

    #[test]
    fn a_url_that_is_no_bucket_s_is_refused_with_what_is_expected() {
        let refused = |url| Location::bucket(url).map(drop).expect_err("no bucket").to_string();
        assert_eq!(refused("ftp://x/y"), "ftp://x/y: `ftp` is no store; expected s3://, gs:// or az://");
        assert_eq!(refused("s3:///y"), "s3:///y: expected a bucket after `//`, as in s3://bucket/prefix");
    }
}
