//! The environment that points AWS clients at a world: endpoint, fixed fake credentials, empty configuration files.
//! Must not read the user's own credentials or configuration, only whether a region is set.

use std::path::Path;

use crate::world::{ACCESS_KEY, SECRET_KEY, World};

pub(crate) fn variables(world: &World) -> Vec<(String, String)> {
    variables_of(world.dir(), world.endpoint())
}

pub(crate) fn variables_of(world: &Path, endpoint: &str) -> Vec<(String, String)> {
    // Programs that get these may work in another folder.
    let world = std::path::absolute(world).unwrap_or_else(|_| world.to_path_buf());
    let file = |name: &str| world.join(name).display().to_string();
    let region = std::env::var("AWS_REGION").ok().filter(|it| !it.is_empty()).unwrap_or_else(|| "us-west-2".to_owned());
    [
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
        ("AWS_REGION", region.clone()),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_CONFIG_FILE", file("aws-config")),
        ("AWS_SHARED_CREDENTIALS_FILE", file("aws-credentials")),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_PAGER", String::new()),
        ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
        ("no_proxy", "127.0.0.1,localhost".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

pub(crate) fn write_empty_config(dir: &Path) -> std::io::Result<()> {
    std::fs::write(dir.join("aws-config"), "")?;
    std::fs::write(dir.join("aws-credentials"), "")
}
