//! A value for every param, in the order of what goes over what, with all problems at once.
//! Knows nothing of where the texts were read.

use std::sync::Arc;

use hprun_steps::partial::{Place, nearest};
use hprun_steps::value::{Secret, Value};
use indexmap::IndexMap;

use super::read::{from_node, from_text};
use super::{ParamSpec, ParamSpecs, Source};
use crate::codes::params;
use crate::diagnostic::{Diagnostic, File, Lines, Related};
use crate::document::fields::list;
use crate::document::yaml::{self, Node, NodeValue};

/// What is given at run time. Each goes over those below it; of several of one kind the last one.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// `--param NAME=VALUE`
    pub cli: &'a [(String, String)],
    /// `--params-file`: path and text (YAML or JSON)
    pub files: &'a [(String, String)],
    /// On resume: what the run recorded. Secrets are not in it.
    pub recorded: &'a dyn Fn(&str) -> Option<serde_json::Value>,
    /// The environment, by variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// SSM parameters by path: those that [`ssm_needed`] listed.
    pub ssm: &'a dyn Fn(&str) -> Option<String>,
    /// What a person answered, by param.
    pub answers: &'a [(String, String)],
}

/// The params of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    /// The values.
    pub values: IndexMap<String, Value>,
    /// Where each came from.
    pub sources: IndexMap<String, Source>,
}

/// Why there are no params.
#[derive(Clone, Debug, Default)]
pub struct ParamProblems {
    /// Those that nothing gives.
    pub missing: Vec<Missing>,
    /// What is wrong with those that are given.
    pub wrong: Vec<Diagnostic>,
    /// Those that are right, so that checks can go on.
    pub known: Params,
}

/// A param that nothing gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Whether what is typed for it must not be shown.
    pub secret: bool,
    /// How it can be given.
    pub ways: Vec<String>,
}

/// The SSM parameters that must be fetched, because nothing that goes over them gives the param.
pub fn ssm_needed(specs: &ParamSpecs, given: &Given<'_>) -> Vec<String> {
    let mut resolver = Resolver::new(specs, given);
    resolver.read_files();
    let without_ssm = |name: &str, spec: &ParamSpec| resolver.found(name, spec, &|_| None);
    specs
        .iter()
        .filter(|(name, spec)| matches!(without_ssm(name, spec), None | Some((_, Source::Default | Source::Answer))))
        .filter_map(|(_, spec)| spec.ssm.clone())
        .collect()
}

/// The value of every param.
pub fn resolve(specs: &ParamSpecs, given: &Given<'_>) -> Result<Params, ParamProblems> {
    let mut resolver = Resolver::new(specs, given);
    resolver.read_files();
    resolver.check_command_line();
    let mut params = Params::default();
    let mut missing = Vec::new();
    for (name, spec) in specs {
        match resolver.found(name, spec, given.ssm) {
            Some((Ok(value), source)) => {
                params.values.insert(name.clone(), value);
                params.sources.insert(name.clone(), source);
            }
            Some((Err(diagnostic), _)) => resolver.wrong.push(diagnostic),
            None => missing.push(Missing::of(name, spec)),
        }
    }
    if missing.is_empty() && resolver.wrong.is_empty() {
        Ok(params)
    } else {
        Err(ParamProblems { missing, wrong: resolver.wrong, known: params })
    }
}

impl Missing {
    fn of(name: &str, spec: &ParamSpec) -> Self {
        let typed = (!spec.secret).then(|| format!("--param {name}=…"));
        let ways = typed.into_iter().chain(["--params-file FILE".to_owned()]);
        let ways = ways.chain(spec.variables(name).iter().map(|variable| format!("${variable}"))).collect();
        Self { name: name.to_owned(), description: spec.description.clone(), secret: spec.secret, ways }
    }
}

struct Resolver<'a> {
    specs: &'a ParamSpecs,
    given: &'a Given<'a>,
    /// By param, from the last file that has it.
    from_files: IndexMap<String, (Node, usize)>,
    texts: Vec<Arc<str>>,
    wrong: Vec<Diagnostic>,
}

type Found = (Result<Value, Diagnostic>, Source);

impl<'a> Resolver<'a> {
    fn new(specs: &'a ParamSpecs, given: &'a Given<'a>) -> Self {
        let texts = given.files.iter().map(|(_, text)| Arc::from(text.as_str())).collect();
        Self { specs, given, from_files: IndexMap::new(), texts, wrong: Vec::new() }
    }

    fn read_files(&mut self) {
        for (index, (_, text)) in self.given.files.iter().enumerate() {
            let (node, problems) = yaml::parse(text);
            for problem in problems {
                let problem = self.in_file(index, problem);
                self.wrong.push(problem);
            }
            match node {
                Some(Node { value: NodeValue::Map(entries), .. }) => {
                    for (key, node) in entries {
                        if self.specs.contains_key(&key.text) {
                            self.from_files.insert(key.text, (node, index));
                        } else {
                            let unknown = self.unknown(&key.text, key.place);
                            let unknown = self.in_file(index, unknown);
                            self.wrong.push(unknown);
                        }
                    }
                }
                Some(Node { value: NodeValue::Scalar(Value::Null), .. }) | None => {}
                Some(Node { place, .. }) => {
                    let message = "a params file must be a map of param names and values";
                    let problem = self.in_file(index, Diagnostic::error(&params::WRONG_PARAM_VALUE, place, message));
                    self.wrong.push(problem);
                }
            }
        }
    }

    fn check_command_line(&mut self) {
        for (name, _) in self.given.cli {
            match self.specs.get(name) {
                None => {
                    let unknown = self.unknown(name, Place::default());
                    self.wrong.push(Diagnostic { file: File::Nowhere, ..unknown });
                }
                Some(spec) if spec.secret => self.wrong.push(
                    Diagnostic::nowhere(
                        &params::SECRET_ON_COMMAND_LINE,
                        format!("the secret param `{name}` cannot be given on the command line"),
                    )
                    .help(format!("other users can see command lines; set ${}", spec.variables(name)[0])),
                ),
                Some(_) => {}
            }
        }
    }

    /// The value from the first source that gives one.
    fn found(&self, name: &str, spec: &ParamSpec, ssm: &dyn Fn(&str) -> Option<String>) -> Option<Found> {
        self.on_command_line(name, spec)
            .or_else(|| self.in_files(name, spec))
            .or_else(|| self.in_record(name, spec))
            .or_else(|| self.in_environment(name, spec))
            .or_else(|| {
                let path = spec.ssm.as_ref()?;
                let value = from_text(name, spec, &ssm(path)?);
                Some((self.named(name, value, &format!("in ssm:{path}")), Source::Ssm(path.clone())))
            })
            .or_else(|| Some((Ok(spec.default.clone()?), Source::Default)))
            .or_else(|| {
                let (_, text) = self.given.answers.iter().rfind(|(answered, _)| answered == name)?;
                Some((self.named(name, from_text(name, spec, text), "as answered"), Source::Answer))
            })
    }

    fn on_command_line(&self, name: &str, spec: &ParamSpec) -> Option<Found> {
        let (_, text) = self.given.cli.iter().rfind(|(given, _)| given == name && !spec.secret)?;
        Some((self.named(name, from_text(name, spec, text), "in --param"), Source::CommandLine))
    }

    fn in_files(&self, name: &str, spec: &ParamSpec) -> Option<Found> {
        let (node, index) = self.from_files.get(name)?;
        let value = from_node(name, spec, node).map_err(|why| {
            self.in_file(
                *index,
                Diagnostic::error(&params::WRONG_PARAM_VALUE, node.place, format!("the param `{name}` {why}")),
            )
        });
        Some((value, Source::File(self.given.files[*index].0.clone())))
    }

    fn in_record(&self, name: &str, spec: &ParamSpec) -> Option<Found> {
        let json = (!spec.secret).then(|| (self.given.recorded)(name))??;
        Some((self.named(name, spec.accept(Value::from_json(&json)), "in the record"), Source::Recorded))
    }

    /// A variable that is set to nothing counts as not set, as in the shell's `${X:-default}`.
    fn in_environment(&self, name: &str, spec: &ParamSpec) -> Option<Found> {
        let variables = spec.variables(name);
        let set = |variable: &String| (self.given.environment)(variable).filter(|text| !text.is_empty());
        let (variable, text) = variables.iter().find_map(|variable| Some((variable, set(variable)?)))?;
        let value = self.named(name, from_text(name, spec, &text), &format!("in ${variable}"));
        Some((value, Source::Environment(variable.clone())))
    }

    fn named(&self, name: &str, value: Result<Value, String>, origin: &str) -> Result<Value, Diagnostic> {
        value.map_err(|why| {
            Diagnostic::nowhere(&params::WRONG_PARAM_VALUE, format!("the param `{name}` {origin} {why}"))
        })
    }

    fn unknown(&self, name: &str, place: Place) -> Diagnostic {
        let names: Vec<&str> = self.specs.keys().map(String::as_str).collect();
        let help = match nearest(name, names.iter().copied()) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("it has {}", list(&names)),
        };
        Diagnostic::error(&params::UNKNOWN_PARAM_GIVEN, place, format!("the pipeline has no param `{name}`")).help(help)
    }

    /// The diagnostic at its place in a params file. Where a param is secret no line of the file is shown: it may hold
    /// the secret; the line's number is told instead.
    fn in_file(&self, index: usize, diagnostic: Diagnostic) -> Diagnostic {
        let (path, text) = (self.given.files[index].0.clone(), self.texts[index].clone());
        if !self.specs.values().any(|spec| spec.secret) {
            let file = File::Named { path, text: Some(text) };
            let related = diagnostic.related.into_iter().map(|related| Related { file: file.clone(), ..related });
            return Diagnostic { related: related.collect(), file, ..diagnostic };
        }
        let at = Lines::of(&text).position(diagnostic.place.start as usize);
        let message = format!("{} (line {}, column {})", diagnostic.message, at.line, at.column);
        Diagnostic { file: File::Named { path, text: None }, message, related: Vec::new(), ..diagnostic }
    }
}

impl Params {
    /// Every secret among them, so that texts can be redacted.
    pub fn secrets(&self) -> Vec<&Secret> {
        self.values.values().flat_map(Value::secrets).collect()
    }
}
