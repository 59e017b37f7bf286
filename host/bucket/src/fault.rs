//! Which faults of a bucket pass.

use object_store::Error;
use object_store::client::HttpError;

/// Whether the same request may succeed later: the store was overloaded, failed inside or couldn't be reached. What it refuses for a
/// reason, as rights, stays refused.
#[must_use]
pub fn passes(error: &Error) -> bool {
    let Error::Generic { source, .. } = error else { return false };
    if let Some(status) = status(&error.to_string()) {
        return matches!(status, 408 | 429 | 500..=599);
    }
    let mut cause = Some(source.as_ref() as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if error.is::<HttpError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The status of an HTTP answer in an error's text: `object_store` has no other way to it.
fn status(text: &str) -> Option<u16> {
    text.split_once("status code: ")?.1.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn overload_and_faults_inside_the_store_pass() {
        for text in
            ["503 Service Unavailable: SlowDown", "429 Too Many Requests", "500 Internal Server Error", "408 Request Timeout"]
        {
            assert!(passes(&generic(&format!("Server returned non-2xx status code: {text}"))), "{text}");
        }
    }

    #[test]
    fn what_the_store_refuses_for_a_reason_does_not_pass() {
        assert!(!passes(&generic("Server returned non-2xx status code: 400 Bad Request")));
        assert!(!passes(&generic("something else")));
        assert!(!passes(&Error::PermissionDenied { path: "x".to_owned(), source: "no".into() }));
    }
}
