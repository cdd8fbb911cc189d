//! The machine images of HyperPod in the sandbox: made-up releases, so that UpdateClusterSoftware has somewhere to go.
//! Must not know clusters.

use sha2::{Digest as _, Sha256};

use super::model::{GroupSpec, Image};

/// Releases, oldest first; new groups get the last but one, so that an update is available, and an update gets the last.
pub(super) const RELEASES: [&str; 3] = ["1.0.0", "1.1.0", "1.2.0"];

/// The image of a release.
pub(super) fn release(version: &str) -> Image {
    let digest = hex::encode(Sha256::digest(format!("hprun sandbox image {version}")));
    Image { id: format!("ami-0{}", &digest[..16]), release: Some(version.to_owned()) }
}

/// The image that a new group's specification asks for.
pub(super) fn asked(spec: &GroupSpec) -> Image {
    if let Some(version) = &spec.image_release_version {
        return release(version);
    }
    custom(spec.image_id.as_deref()).unwrap_or_else(|| release(RELEASES[1]))
}

/// The user's own image, unless it is `default`.
pub(super) fn custom(id: Option<&str>) -> Option<Image> {
    let id = id.filter(|id| *id != "default")?;
    Some(Image { id: id.to_owned(), release: None })
}

/// ImageVersionStatus.
pub(super) fn status(image: &Image) -> &'static str {
    match image.release.as_deref() {
        Some(version) if version != RELEASES[2] => "UpdateAvailable",
        Some(_) | None => "UpToDate",
    }
}
