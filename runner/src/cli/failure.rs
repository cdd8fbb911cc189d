//! How a command fails: the one place where an error becomes words, a hint and an exit code.
//! Knows nothing of how anything is done.

use std::fmt::Write as _;
use std::process::ExitCode;

use hprun_steps::{ErrorClass, StepError};

use crate::engine::EngineError;
use crate::event::Outcome;
use crate::store::StoreError;

/// Why a command did not end well.
#[derive(Debug)]
pub enum CliError {
    /// The command line is wrong, or what it names does not exist.
    Usage {
        /// What is wrong.
        message: String,
        /// What to type instead.
        help: Option<String>,
    },
    /// The pipeline is not valid; the text is the rendered findings.
    Invalid(String),
    /// hprun will not do it, and has done nothing.
    Refused {
        /// Why.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// AWS could not be reached, or said no, before anything was done.
    Aws(StepError),
    /// The store.
    Store(StoreError),
    /// The engine gave up in the middle; the run can be resumed.
    Engine {
        /// Why.
        error: EngineError,
        /// The run.
        run: String,
    },
    /// The run ended, but not in success; what there is to say was said by its reporter.
    Ended {
        /// How.
        outcome: Outcome,
        /// The run.
        run: String,
    },
    /// A person stopped a command that had begun nothing.
    Interrupted,
    /// The editor that a language server served went without saying so.
    ClientGone,
    /// A file or the terminal.
    Io {
        /// What was being done.
        doing: String,
        /// The system's error.
        source: std::io::Error,
    },
}

impl CliError {
    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: None }
    }

    /// A refusal with what to do about it.
    pub fn refused(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), help: Some(help.into()) }
    }

    /// A file that cannot be read or written.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// The exit code, as `hprun --help` promises: 1 failed, 2 usage or invalid, 3 refused, 130 interrupted.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage { .. } | Self::Invalid(_) | Self::Io { .. } => 2,
            Self::Refused { .. } => 3,
            // The language server protocol has this number for it.
            Self::ClientGone => 1,
            Self::Interrupted => 130,
            Self::Store(error) => match error {
                StoreError::NoRuns
                | StoreError::AllFinished(_)
                | StoreError::NoSuchRun(_)
                | StoreError::Ambiguous(..) => 2,
                StoreError::Held { .. }
                | StoreError::Beginning { .. }
                | StoreError::Folder { .. }
                | StoreError::Newer { .. }
                | StoreError::Damaged { .. }
                | StoreError::Unwritable { .. } => 3,
            },
            Self::Aws(error) => match error.class {
                ErrorClass::Invalid => 2,
                ErrorClass::Refused
                | ErrorClass::Login
                | ErrorClass::Failed
                | ErrorClass::Transient
                | ErrorClass::Unknown => 3,
                ErrorClass::Interrupted => 130,
            },
            Self::Engine { error, .. } => match error {
                EngineError::Store(_) => 1,
                EngineError::Illegal(_) => 70,
            },
            Self::Ended { outcome, .. } => match outcome {
                Outcome::Succeeded | Outcome::Partial => 0,
                Outcome::Failed => 1,
                Outcome::Interrupted => 130,
            },
        })
    }

    /// What a person reads on stderr: the error, its causes, what to do, and the next command to type.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match self {
            Self::Usage { message, help } | Self::Refused { message, help } => {
                say(&mut text, message, &[], help.as_deref());
            }
            Self::Invalid(rendered) => text.push_str(rendered),
            Self::Aws(error) => {
                let id = error.request_id.iter().map(|id| format!("request id {id}"));
                let causes: Vec<String> = error.causes.iter().cloned().chain(id).collect();
                say(&mut text, &error.message, &causes, error.help.as_deref());
            }
            Self::Store(error) => say(&mut text, &error.to_string(), &[], store_help(error).as_deref()),
            Self::Engine { error, run } => {
                let help = match error {
                    EngineError::Store(_) => {
                        format!("nothing after the last recorded event was begun; then: hprun resume {run}")
                    }
                    EngineError::Illegal(_) => {
                        format!("this is a bug in hprun; please report it with: hprun show {run} --output json")
                    }
                };
                say(&mut text, &error.to_string(), &[], Some(&help));
            }
            Self::Ended { run, .. } => {
                writeln!(text, "resume with: hprun resume {run}").expect("writing to a string");
            }
            Self::Interrupted => text.push_str("interrupted: nothing was changed\n"),
            Self::ClientGone => say(&mut text, "the editor ended without `shutdown`", &[], None),
            Self::Io { doing, source } => say(&mut text, &format!("could not {doing}: {source}"), &[], None),
        }
        text
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<StepError> for CliError {
    fn from(error: StepError) -> Self {
        Self::Aws(error)
    }
}

fn store_help(error: &StoreError) -> Option<String> {
    match error {
        StoreError::NoRuns => Some("begin one with: hprun FILE".to_owned()),
        StoreError::AllFinished(run) => Some(format!("to look again at what the newest made: hprun resume {run}")),
        StoreError::NoSuchRun(_) => Some("see the runs with: hprun runs".to_owned()),
        // Of 0 nothing is known, and a signal to 0 would reach the caller's own group.
        StoreError::Held { pid: 0, .. } => None,
        StoreError::Held { pid, .. } => Some(format!("it goes on there; to stop it resumably: kill -INT {pid}")),
        StoreError::Beginning { .. } => Some("once it is recorded it is among: hprun runs".to_owned()),
        StoreError::Ambiguous(..)
        | StoreError::Folder { .. }
        | StoreError::Newer { .. }
        | StoreError::Damaged { .. }
        | StoreError::Unwritable { .. } => None,
    }
}

fn say(text: &mut String, message: &str, causes: &[String], help: Option<&str>) {
    writeln!(text, "error: {message}").expect("writing to a string");
    for cause in causes {
        writeln!(text, "  {cause}").expect("writing to a string");
    }
    if let Some(help) = help {
        writeln!(text, "help: {help}").expect("writing to a string");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(pid: u32) -> CliError {
        let (run, host, since) = ("r1".to_owned(), "laptop".to_owned(), "2026-01-01 10:00:00".to_owned());
        CliError::Store(StoreError::Held { run, pid, host, since })
    }

    #[test]
    fn every_end_has_its_code_and_says_what_to_type_next() {
        let ended = |outcome| CliError::Ended { outcome, run: "r1".to_owned() };
        let engine = |error| CliError::Engine { error, run: "r1".to_owned() };
        let full = StoreError::Unwritable { path: "/s/hprun.db".into(), why: "the disk is full".to_owned() };
        let illegal = crate::state::IllegalEvent { seq: 2, kind: "recorded", why: "no".to_owned() };
        let (host, since) = ("laptop".to_owned(), "2026-01-01 10:00:00".to_owned());
        let beginning = CliError::Store(StoreError::Beginning { pipeline: "p".to_owned(), pid: 42, host, since });
        let login = StepError::new(ErrorClass::Login, "expired").because("the token").help("log in");
        let cases = [
            (1, ended(Outcome::Failed)),
            (130, ended(Outcome::Interrupted)),
            (130, CliError::Interrupted),
            (1, engine(EngineError::Store(full))),
            (70, engine(EngineError::Illegal(illegal))),
            (2, CliError::Store(StoreError::NoSuchRun("r9".to_owned()))),
            (3, held(42)),
            (3, held(0)),
            (3, beginning),
            (3, CliError::refused("it is not ours", "say `adopt: true`")),
            (2, CliError::usage("no file")),
            (3, CliError::Aws(login)),
        ];
        let mut told = String::new();
        for (code, error) in cases {
            assert_eq!(error.exit_code(), ExitCode::from(code), "{error:?}");
            told.push_str(&format!("{code}\n{}", error.text()));
        }
        insta::assert_snapshot!(told);
        assert!(!held(0).text().contains("kill"), "a signal to 0 would reach the caller's own group");
    }
}
