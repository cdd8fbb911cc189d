//! Values for params from the outside: the command line, files, the environment, SSM, a person.
//! Knows nothing of what the values are for.

use std::path::Path;

use hprun_steps::clients::Clients;
use indexmap::IndexMap;

use super::args::{ParamArgs, PassArgs};
use super::source::{Source, read_limited};
use super::{CliError, confirm};
use crate::diagnostic::Diagnostic;
use crate::event::RecordedParam;
use crate::params::{self, Given, Missing, ParamProblems, ParamSpec, ParamSpecs, Params};
use crate::pipeline;

/// Everything that gives values, read once.
#[derive(Default)]
pub struct Givers {
    cli: Vec<(String, String)>,
    files: Vec<(String, String)>,
    recorded: IndexMap<String, RecordedParam>,
    ssm: IndexMap<String, String>,
    answers: Vec<(String, String)>,
}

impl Givers {
    /// What the command line names.
    pub fn read(args: &ParamArgs) -> Result<Self, CliError> {
        let cli = args.param.iter().map(|pair| split(pair)).collect::<Result<_, _>>()?;
        let files = args.params_file.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
        Ok(Self { cli, files, ..Self::default() })
    }

    /// The same over what a run recorded.
    pub fn over(mut self, recorded: IndexMap<String, RecordedParam>) -> Self {
        self.recorded = recorded;
        self
    }

    /// The values, as far as they are given now.
    pub fn resolve(&self, source: &Source) -> Result<Params, ParamProblems> {
        self.resolve_specs(&source.specs())
    }

    /// The values that are given, and what is wrong with others; one that nothing gives is no fault here.
    pub fn known(&self, source: &Source) -> (Params, Vec<Diagnostic>) {
        match self.resolve(source) {
            Ok(params) => (params, Vec::new()),
            Err(problems) => (problems.known, problems.wrong),
        }
    }

    /// The values of these params, as far as they are given now.
    pub fn resolve_specs(&self, specs: &ParamSpecs) -> Result<Params, ParamProblems> {
        self.with(|given| params::resolve(specs, given))
    }

    /// Fetches the SSM parameters that nothing goes over.
    pub async fn fetch(&mut self, source: &Source, clients: &Clients) -> Result<(), CliError> {
        let specs = source.specs();
        for path in self.ssm_needed(source) {
            let secret = specs.values().any(|spec| spec.secret && spec.ssm.as_deref() == Some(path.as_str()));
            let value = clients.parameter(&path, secret).await?;
            self.ssm.insert(path, value);
        }
        Ok(())
    }

    /// The SSM parameters that have yet to be fetched.
    pub fn ssm_needed(&self, source: &Source) -> Vec<String> {
        let needed = self.with(|given| params::ssm_needed(&source.specs(), given));
        needed.into_iter().filter(|path| !self.ssm.contains_key(path)).collect()
    }

    /// Asks a person for what is missing.
    pub fn ask(&mut self, missing: &[Missing]) -> Result<(), CliError> {
        for param in missing {
            let about = param.description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
            let prompt = format!("{}{about}: ", param.name);
            let answer = if param.secret { confirm::secret(&prompt)? } else { confirm::line(&prompt)? };
            self.answers.push((param.name.clone(), answer));
        }
        Ok(())
    }

    /// Params whose environment now says something else than the record: a note each, because the record is used.
    pub fn environment_differs(&self, source: &Source) -> Vec<String> {
        let specs = source.specs();
        let differs = |(name, recorded): (&String, &RecordedParam)| {
            let spec = specs.get(name).filter(|spec| !spec.secret)?;
            let (variable, text) =
                spec.variables(name).into_iter().find_map(|v| Some((v.clone(), environment(&v)?)))?;
            let old = recorded.value.as_ref()?;
            let old = old.as_str().map_or_else(|| old.to_string(), str::to_owned);
            (old != text).then(|| {
                format!(
                    "${variable} is now `{text}`, the run keeps {name} = `{old}`; to change it: --param {name}={text}"
                )
            })
        };
        self.recorded.iter().filter_map(differs).collect()
    }

    /// Params whose default is no longer the one of `old`, the pipeline's text as last recorded: a note each, because the
    /// record is used.
    pub fn defaults_differ(&self, source: &Source, old: &str) -> Vec<String> {
        let Ok(old) = pipeline::read(old) else { return Vec::new() };
        let differs = |(name, spec): (&String, &ParamSpec)| {
            let new = spec.default.as_ref().filter(|_| !spec.secret)?.to_record();
            let was = old.params.get(name)?.default.as_ref()?.to_record();
            let kept = self.recorded.get(name)?.value.as_ref()?;
            let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let given = self.cli.iter().any(|(given, _)| given == name);
            (new != was && new != *kept && !given).then(|| {
                let (new, kept) = (text(&new), text(kept));
                format!(
                    "the default of {name} is now `{new}`, the run keeps `{kept}`; to change it: --param {name}={new}"
                )
            })
        };
        source.specs().iter().filter_map(differs).collect()
    }

    fn with<T>(&self, use_them: impl FnOnce(&Given<'_>) -> T) -> T {
        let recorded = |name: &str| self.recorded.get(name).and_then(|param| param.value.clone());
        let ssm = |path: &str| self.ssm.get(path).cloned();
        use_them(&Given {
            cli: &self.cli,
            files: &self.files,
            recorded: &recorded,
            environment: &environment,
            ssm: &ssm,
            answers: &self.answers,
        })
    }
}

/// Whether a person should be asked for these.
pub fn should_ask(problems: &ParamProblems, pass: &PassArgs) -> bool {
    problems.wrong.is_empty() && !problems.missing.is_empty() && !pass.no_input && confirm::can_ask()
}

/// The missing params as one error, with the ways to give each.
pub fn missing_error(missing: &[Missing]) -> CliError {
    let lines = missing.iter().map(|param| {
        let about = param.description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
        format!("\n  {}{about}: {}", param.name, param.ways.join(" or "))
    });
    let plural = if missing.len() == 1 { "a param has" } else { "params have" };
    CliError::Usage { message: format!("{plural} no value:{}", lines.collect::<String>()), help: None }
}

/// What the record keeps of params.
pub fn to_record(params: &Params) -> IndexMap<String, RecordedParam> {
    let record = |(name, value): (&String, &hprun_steps::value::Value)| {
        let value = if value.secrets().is_empty() { Some(value.to_record()) } else { None };
        let source = params.sources.get(name).map(ToString::to_string).unwrap_or_default();
        (name.clone(), RecordedParam { value, source })
    };
    params.values.iter().map(record).collect()
}

fn environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|text| !text.is_empty())
}

fn split(pair: &str) -> Result<(String, String), CliError> {
    pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| CliError::Usage {
        message: format!("--param {pair} has no value"),
        help: Some(format!("write --param {pair}=VALUE")),
    })
}

fn read(path: &Path) -> Result<(String, String), CliError> {
    let shown = path.display().to_string();
    let doing = || CliError::io(format!("read the params file {shown}"));
    let bytes = read_limited(path).map_err(doing())?;
    let text = String::from_utf8(bytes).map_err(std::io::Error::other).map_err(doing())?;
    Ok((shown, text))
}
