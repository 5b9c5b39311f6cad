//! Images without a disk: what a test says is there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::function::Digest;
use domain::image::{Image, ImageProblem};
use domain::{Error, Refusal};
use engine::ports::{HeldImage, Images, Removal, Wait};

/// See the module.
#[derive(Debug, Default)]
pub struct FakeImages {
    found: Mutex<HashMap<String, Digest>>,
    refused: Mutex<HashMap<Digest, (ImageProblem, &'static str)>>,
    unsupported: Mutex<Option<&'static str>>,
    pulled: Mutex<Vec<Digest>>,
    retained: Mutex<Vec<Digest>>,
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeImages {
    /// From now on a reference means an image.
    pub fn put(&self, uri: &str, digest: Digest) {
        lock(&self.found).insert(uri.to_owned(), digest);
    }

    /// From now on an image cannot be pulled.
    pub fn refuse(&self, digest: Digest, problem: ImageProblem, why: &'static str) {
        lock(&self.refused).insert(digest, (problem, why));
    }

    /// From now on no image can be run.
    pub fn be_unsupported(&self, why: &'static str) {
        *lock(&self.unsupported) = Some(why);
    }

    /// What was pulled, in order.
    pub fn pulled(&self) -> Vec<Digest> {
        lock(&self.pulled).clone()
    }

    /// What was said to be used, the last time.
    pub fn retained(&self) -> Vec<Digest> {
        lock(&self.retained).clone()
    }
}

impl Images for FakeImages {
    fn supported(&self) -> Result<(), String> {
        lock(&self.unsupported).map_or(Ok(()), |why| Err(why.to_owned()))
    }

    fn resolve(&self, uri: String) -> Wait<'_, Result<HeldImage, Error>> {
        let found = lock(&self.found).get(&uri).copied();
        Box::pin(async move {
            let Some(digest) = found else {
                let (problem, why) = (ImageProblem::NotFound, "The test has no such image".to_owned());
                return Err(Refusal::Image { uri, problem, why }.into());
            };
            let resolved =
                format!("{}@sha256:{}", uri.rsplit_once(':').map_or(&*uri, |(place, _)| place), digest.hex());
            Ok(HeldImage::new(Image { uri, resolved, digest }, ()))
        })
    }

    fn pull(&self, image: Image) -> Wait<'_, Result<(), Error>> {
        lock(&self.pulled).push(image.digest);
        let refused = lock(&self.refused).get(&image.digest).copied();
        Box::pin(async move {
            match refused {
                None => Ok(()),
                Some((problem, why)) => Err(Refusal::Image { uri: image.uri, problem, why: why.to_owned() }.into()),
            }
        })
    }

    fn retain_images(&self, used: Vec<Digest>) -> Wait<'_, Result<Removal, domain::Fault>> {
        *lock(&self.retained) = used;
        Box::pin(async { Ok(Box::pin(async { Ok(()) }) as Removal) })
    }
}
