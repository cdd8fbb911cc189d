//! A world on disk: one JSON file a service and region, replaced whole, several at once by way of a redo file.
//! Must not know what the states mean. Safe against the death of the process, not against the loss of power.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{OpenError, State};
use crate::faults::{Faults, Kept};

/// Writes what changed since the last write, and nothing else.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    written: BTreeMap<String, u64>,
}

/// What an opened world holds.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) regions: BTreeMap<String, State>,
    pub(super) global: State,
    pub(super) clock: Option<i64>,
    pub(super) faults: Option<Kept>,
}

const REDO: &str = "redo.json";
const CLOCK: &str = "clock.json";

/// What time it is, and up to when each region has been moved on: two things that must not come apart.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    now: i64,
    advanced: BTreeMap<String, i64>,
}

impl Disk {
    pub(super) fn open(dir: &Path) -> Result<(Disk, Loaded), OpenError> {
        let dir = dir.join("state");
        std::fs::create_dir_all(&dir)?;
        let mut disk = Disk { dir, written: BTreeMap::new() };
        disk.redo()?;
        let loaded = disk.load()?;
        Ok((disk, loaded))
    }

    /// Writes every part of the region and of the global services that changed. Says whether a service's state was among them.
    pub(super) fn write(
        &mut self,
        region: &str,
        regions: &BTreeMap<String, State>,
        global: &State,
        faults: &Faults,
        clock: i64,
    ) -> std::io::Result<bool> {
        let mut parts = vec![
            part("global/iam.json", &global.iam),
            part("global/s3.json", &global.s3),
            part("global/ids.json", &global.ids),
            part("faults.json", &faults.kept()),
        ];
        if let Some(state) = regions.get(region) {
            parts.extend(regional(region, state));
        }
        let mut changed: BTreeMap<String, String> = BTreeMap::new();
        for (name, text) in parts {
            let hash = hash_of(&text);
            // A part that was never anything but empty needs no file.
            let known = self.written.get(&name);
            if known != Some(&hash) && (known.is_some() || text != "{}") {
                self.written.insert(name.clone(), hash);
                changed.insert(name, text);
            }
        }
        if changed.is_empty() {
            return Ok(false);
        }
        changed.insert(CLOCK.to_owned(), time_text(regions, clock));
        self.put(&changed)?;
        Ok(true)
    }

    pub(super) fn write_clock(&mut self, regions: &BTreeMap<String, State>, clock: i64) -> std::io::Result<()> {
        replace(&self.dir.join(CLOCK), time_text(regions, clock).as_bytes())
    }

    pub(super) fn keep_faults(&mut self, faults: &Faults) -> std::io::Result<()> {
        let (name, text) = part("faults.json", &faults.kept());
        self.written.insert(name.clone(), hash_of(&text));
        replace(&self.dir.join(name), text.as_bytes())
    }

    /// All of `changed` or, if the process dies before the redo file is whole, none.
    fn put(&self, changed: &BTreeMap<String, String>) -> std::io::Result<()> {
        let redo = self.dir.join(REDO);
        replace(&redo, &serde_json::to_vec(changed).expect("names and texts are plain data"))?;
        for (name, text) in changed {
            let path = self.dir.join(name);
            std::fs::create_dir_all(path.parent().expect("a state file is in the state folder"))?;
            replace(&path, text.as_bytes())?;
        }
        std::fs::remove_file(&redo)
    }

    /// Ends a write that a dying process had begun.
    fn redo(&self) -> Result<(), OpenError> {
        if let Some(changed) = read::<BTreeMap<String, String>>(&self.dir.join(REDO))? {
            self.put(&changed)?;
        }
        Ok(())
    }

    fn load(&mut self) -> Result<Loaded, OpenError> {
        let times: Option<Times> = self.part(CLOCK)?;
        let advanced =
            |region: &str| times.as_ref().and_then(|it| it.advanced.get(region)).copied().unwrap_or_default();
        let mut loaded =
            Loaded { clock: times.as_ref().map(|it| it.now), faults: self.part("faults.json")?, ..Loaded::default() };
        loaded.global.iam = self.part("global/iam.json")?.unwrap_or_default();
        loaded.global.s3 = self.part("global/s3.json")?.unwrap_or_default();
        loaded.global.ids = self.part("global/ids.json")?.unwrap_or_default();
        for entry in std::fs::read_dir(&self.dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "global" && self.dir.join(&name).is_dir() {
                let state = State {
                    ec2: self.part(&format!("{name}/ec2.json"))?.unwrap_or_default(),
                    eks: self.part(&format!("{name}/eks.json"))?.unwrap_or_default(),
                    ssm: self.part(&format!("{name}/ssm.json"))?.unwrap_or_default(),
                    logs: self.part(&format!("{name}/logs.json"))?.unwrap_or_default(),
                    sagemaker: self.part(&format!("{name}/sagemaker.json"))?.unwrap_or_default(),
                    cloudformation: self.part(&format!("{name}/cloudformation.json"))?.unwrap_or_default(),
                    kubernetes: self.part(&format!("{name}/kubernetes.json"))?.unwrap_or_default(),
                    advanced: advanced(&name),
                    ..State::default()
                };
                loaded.regions.insert(name, state);
            }
        }
        Ok(loaded)
    }

    fn part<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, OpenError> {
        let path = self.dir.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                self.written.insert(name.to_owned(), hash_of(&text));
                serde_json::from_str(&text).map(Some).map_err(|source| OpenError::Broken { path, source })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn regional(region: &str, state: &State) -> [(String, String); 7] {
    [
        part(&format!("{region}/ec2.json"), &state.ec2),
        part(&format!("{region}/eks.json"), &state.eks),
        part(&format!("{region}/ssm.json"), &state.ssm),
        part(&format!("{region}/logs.json"), &state.logs),
        part(&format!("{region}/sagemaker.json"), &state.sagemaker),
        part(&format!("{region}/cloudformation.json"), &state.cloudformation),
        part(&format!("{region}/kubernetes.json"), &state.kubernetes),
    ]
}

fn time_text(regions: &BTreeMap<String, State>, now: i64) -> String {
    let advanced = regions.iter().map(|(region, state)| (region.clone(), state.advanced)).collect();
    serde_json::to_string(&Times { now, advanced }).expect("times are plain data")
}

fn part(name: &str, state: &impl Serialize) -> (String, String) {
    let text = serde_json::to_string(state).unwrap_or_else(|error| panic!("the state of {name} is not JSON: {error}"));
    (name.to_owned(), text)
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, OpenError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| OpenError::Broken { path: path.to_path_buf(), source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes beside the file and renames: a reader sees the old text or the new one, never half of it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}
