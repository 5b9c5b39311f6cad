//! `Objects` in memory.

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use domain::Error;
use domain::error::Refusal;
use engine::ports::{ObjectName, Objects, Wait};

/// Buckets that live as long as this does; a bucket is there when something was put into it.
#[derive(Debug, Default)]
pub struct MemoryObjects(Mutex<HashMap<(String, String), Bytes>>);

impl MemoryObjects {
    /// Puts an object into a bucket.
    pub fn put(&self, bucket: &str, key: &str, object: Bytes) {
        let mut objects = self.0.lock().expect("nothing that holds it panics");
        objects.insert((bucket.to_owned(), key.to_owned()), object);
    }
}

impl Objects for MemoryObjects {
    fn fetch(&self, object: ObjectName, bytes_max: u64) -> Wait<'_, Result<Bytes, Error>> {
        Box::pin(async move {
            let objects = self.0.lock().expect("nothing that holds it panics");
            let refused = |code: &str, message: &str| {
                Error::from(Refusal::ObjectRefused { code: code.to_owned(), message: message.to_owned() })
            };
            if !objects.keys().any(|(bucket, _)| *bucket == object.bucket) {
                return Err(refused("NoSuchBucket", "The specified bucket does not exist"));
            }
            match objects.get(&(object.bucket, object.key)) {
                None => Err(refused("NoSuchKey", "The specified key does not exist.")),
                Some(bytes) if bytes.len() as u64 > bytes_max => Err(Refusal::UnzippedTooLarge.into()),
                Some(bytes) => Ok(bytes.clone()),
            }
        })
    }
}
