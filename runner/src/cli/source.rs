//! From a file name to a checked pipeline: the one place where pipeline files and their neighbours are read.
//! Knows nothing of runs.

use std::borrow::Cow;
use std::io::{IsTerminal, Read as _};
use std::path::{Path, PathBuf};

use hprun_steps::Step;
use hprun_steps::deploy_stack::DeployStack;
use hprun_steps::files::Files;
use hprun_steps::value::Value;
use indexmap::IndexMap;

use super::args::Global;
use super::{CliError, print};
use crate::codes::file as codes;
use crate::diagnostic::{self, Diagnostic, File, Subject};
use crate::document::LARGEST_TEXT;
use crate::params::ParamSpecs;
use crate::pipeline::{self, Authored, KnownParams, Pipeline};
use crate::store::{StateFolder, Store};

/// A pipeline file as it was read.
pub struct Source {
    /// As it was named.
    pub shown: String,
    /// The full path.
    pub path: PathBuf,
    /// Its folder: relative paths in it start here.
    pub base: PathBuf,
    /// Its text.
    pub text: String,
    /// Its folder, as it was named.
    folder: PathBuf,
    authored: Result<Authored, Vec<Diagnostic>>,
}

impl Source {
    /// Reads the file. What is wrong with its text is kept, to be said together with what the check finds.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let shown = path.display().to_string();
        let doing = || CliError::io(format!("read the pipeline {shown}"));
        let kind = std::fs::metadata(path).map_err(doing())?;
        if !kind.is_file() && !kind.is_dir() {
            let message = format!("the pipeline {shown} is no ordinary file");
            let help = "save it as one: relative paths in it start at its folder, and `resume` reads it again";
            return Err(CliError::Usage { message, help: Some(help.to_owned()) });
        }
        let bytes = read_limited(path).map_err(doing())?;
        let full = path.canonicalize().map_err(doing())?;
        let base = full.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        let (text, authored) = match String::from_utf8(bytes) {
            Ok(text) => {
                let authored = pipeline::read(&text);
                (text, authored)
            }
            Err(e) => (String::from_utf8_lossy(e.as_bytes()).into_owned(), Err(vec![not_text(&e)])),
        };
        // Behind a symbolic link the folder is another one.
        let named = path.parent().unwrap_or(Path::new(""));
        let is_here = Path::new(".").join(named).canonicalize().is_ok_and(|folder| folder == base);
        let folder = if is_here { named.to_owned() } else { base.clone() };
        Ok(Self { shown, path: full, base, text, folder, authored })
    }

    /// The pipeline's name, if the file could be read.
    pub fn name(&self) -> Option<&str> {
        self.authored.as_ref().ok().map(|authored| authored.name.as_str())
    }

    /// The params that the file declares, as far as it could be read.
    pub fn specs(&self) -> ParamSpecs {
        self.authored.as_ref().map(|authored| authored.params.clone()).unwrap_or_default()
    }

    /// The pipeline, if it is sound as far as can be known with these params, and all that was found, in the order of the
    /// file. `more` are findings from elsewhere (the params) that belong into the same report.
    pub fn examine(
        &self,
        known: &IndexMap<String, Value>,
        more: Vec<Diagnostic>,
    ) -> (Option<Pipeline>, Vec<Diagnostic>) {
        let load = |inputs: &[_]| Files::load(&self.base, inputs);
        let known = KnownParams { values: known.clone() };
        // The check repeats what the reading found, in the order of the file.
        let (sound, mut found) = match &self.authored {
            Err(errors) => (None, errors.clone()),
            Ok(authored) => match pipeline::check(authored.clone(), hprun_steps::STEP_TYPES, &load, &known) {
                Ok((pipeline, warnings)) => (Some(pipeline), warnings),
                Err(errors) => (None, errors),
            },
        };
        found.extend(more);
        (sound, found)
    }

    /// The CloudFormation templates that steps name, as they spell them, each once.
    pub fn templates(&self, known: &IndexMap<String, Value>) -> Vec<String> {
        let Ok(authored) = &self.authored else { return Vec::new() };
        let known = KnownParams { values: known.clone() };
        let inputs = pipeline::known_inputs(authored, DeployStack::TYPE, &known);
        let mut paths: Vec<String> =
            inputs.iter().filter_map(|inputs| inputs.str_at("template")).map(str::to_owned).collect();
        paths.sort();
        paths.dedup();
        paths.retain(|path| self.base.join(path).is_file());
        paths
    }

    /// The region that the pipeline names, as far as params tell it.
    pub fn region(&self, known: &IndexMap<String, Value>) -> Option<String> {
        pipeline::known_region(self.authored.as_ref().ok()?, &KnownParams { values: known.clone() })
    }

    /// The pipeline, if it is sound; warnings go to stderr.
    pub fn check(&self, known: &IndexMap<String, Value>, more: Vec<Diagnostic>) -> Result<Pipeline, CliError> {
        match self.examine(known, more) {
            (Some(pipeline), found) if !found.iter().any(Diagnostic::is_error) => {
                if !found.is_empty() {
                    print::note(self.render(&found));
                }
                Ok(pipeline)
            }
            (_, found) => {
                let errors = found.iter().filter(|d| d.is_error()).count();
                let plural = if errors == 1 { "" } else { "s" };
                let text = format!("{}\n\n{}: {errors} error{plural}\n", self.render(&found), self.shown);
                Err(CliError::Invalid(text))
            }
        }
    }

    /// What findings are shown for.
    pub fn subject(&self) -> Subject<'_> {
        Subject { path: &self.shown, text: &self.text, folder: Cow::Borrowed(&self.folder) }
    }

    /// All findings in rustc's form.
    pub fn render(&self, found: &[Diagnostic]) -> String {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let width = if std::io::stderr().is_terminal() { usize::from(console::Term::stderr().size().1) } else { 100 };
        diagnostic::render(found, self.subject(), colour, width)
    }
}

/// The bytes of a file; of one that is larger than any that is looked into, more than that is not read.
pub fn read_limited(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST_TEXT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_text(error: &std::string::FromUtf8Error) -> Diagnostic {
    let bytes = error.as_bytes();
    let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let help = if utf16 { "it begins like UTF-16: save it as UTF-8" } else { "save it as UTF-8" };
    let message = format!("the file is not UTF-8 text (byte {})", error.utf8_error().valid_up_to());
    Diagnostic { file: File::Pipeline, ..Diagnostic::nowhere(&codes::NOT_TEXT, message) }.help(help)
}

/// The state folder that the command line, the environment or XDG names.
pub fn state_folder(global: &Global) -> Result<StateFolder, CliError> {
    let path = match &global.state {
        Some(path) => path.clone(),
        None => StateFolder::default_path().ok_or_else(|| CliError::Usage {
            message: "there is no home folder to keep the record in".to_owned(),
            help: Some("name a folder with --state or HPRUN_STATE".to_owned()),
        })?,
    };
    Ok(StateFolder::at(&path)?)
}

/// The store, if there is one yet.
pub fn open_store(global: &Global) -> Result<Option<Store>, CliError> {
    Ok(Store::open_existing(state_folder(global)?)?)
}
