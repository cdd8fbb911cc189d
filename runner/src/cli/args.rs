//! What can be typed: every command with its arguments, and nothing of what they do.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Set up an Amazon SageMaker HyperPod cluster on EKS from one YAML file of typed steps; resume where it stopped.
#[derive(Debug, Parser)]
#[command(
    name = "hprun",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    override_usage = "hprun [OPTIONS] FILE\n       hprun [OPTIONS] COMMAND",
    after_help = "Run a pipeline:      run, resume, rerun, check, plan        (hprun FILE is hprun run FILE)\n\
                  Look at runs:        runs, show, outputs, export, import\n\
                  Write pipelines:     steps, schema, explain, graph, iam-policy, lsp\n\
                  Plumbing:            sandbox, eks-token, completions\n\n\
                  Exit codes: 0 done, 1 a step failed (resume), 2 usage or invalid pipeline, 3 refused (nothing done),\n\
                  130 interrupted (resume), 70 a bug in hprun."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Folder of the record [default: hprun in the XDG state folder]
    #[arg(long, global = true, env = "HPRUN_STATE", value_name = "FOLDER", help_heading = "Everywhere")]
    pub state: Option<PathBuf>,
    /// How to show a run: for people, as plain lines, or as one JSON event a line on stdout
    #[arg(long, global = true, value_enum, default_value_t = Output::Auto, value_name = "FORM", help_heading = "Everywhere")]
    pub output: Output,
    /// Say more on stderr: -v requests with their ids, -vv everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
    /// Also write what -vv says into this file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub log_file: Option<PathBuf>,
}

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A live view on a terminal, plain lines elsewhere
    Auto,
    /// Plain lines with time stamps
    Plain,
    /// One JSON event a line, on stdout; of `check` a list of findings
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline from the beginning
    Run(RunArgs),
    /// Go on with a run that failed, was interrupted or was killed
    Resume(ResumeArgs),
    /// Run a recorded run anew; what the old run made passes to the new one
    Rerun(RerunArgs),
    /// Say everything that is wrong with a pipeline, without touching anything
    Check(CheckArgs),
    /// Show what a run would do, offline: order, inputs, and why each step would run
    Plan(PlanArgs),
    /// List the runs
    Runs,
    /// Show a run as it happened
    Show(ShowArgs),
    /// Print the outputs of a run's steps
    Outputs(OutputsArgs),
    /// Write a run into a file, to go on with it on another machine
    Export(ExportArgs),
    /// Take in a run that was exported elsewhere
    Import(ImportArgs),
    /// List the step types, or describe one
    Steps(StepsArgs),
    /// Print the JSON Schema of the pipeline file, for editors
    Schema,
    /// Say what a code such as HP0123 means: cause, example, cure
    Explain(ExplainArgs),
    /// Draw a pipeline
    Graph(GraphArgs),
    /// Print the IAM policy that a run of a pipeline needs
    IamPolicy(IamPolicyArgs),
    /// Serve an editor: findings, completion and hover while typing (a language server)
    Lsp(LspArgs),
    /// Serve a stand-in for AWS and Kubernetes, for other programs
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxArgs),
    /// Print a token for an EKS cluster (what the kubeconfig of update-kubeconfig calls)
    EksToken(EksTokenArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// A pipeline and the values for its params.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// The pipeline file
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Values for params.
    #[command(flatten)]
    pub params: ParamArgs,
}

/// What `check` takes.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: FileArgs,
    /// Also write the findings as SARIF, for code scanning; - is stdout
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub sarif: Option<PathBuf>,
    /// Also run cfn-lint on the CloudFormation templates: it knows the properties of every resource type
    #[arg(long)]
    pub cfn_lint: bool,
    /// Also ask AWS what would make the run fail later: quotas, network, names, roles (docs/preflight.md). Only reads
    #[arg(long)]
    pub live: bool,
    /// Ask the sandbox instead of the account that the credentials lead to
    #[arg(long, requires = "live")]
    pub sandbox: bool,
    /// The sandbox's world folder [default: a new one that is removed at the end]
    #[arg(long, value_name = "FOLDER", requires = "sandbox")]
    pub sandbox_world: Option<PathBuf>,
    /// How many times faster than the wall the sandbox's clock runs
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = speed, requires = "sandbox")]
    pub sandbox_speed: f64,
    /// Script of faults for the sandbox (docs/sandbox-faults.md)
    #[arg(long, value_name = "FILE", requires = "sandbox")]
    pub sandbox_faults: Option<PathBuf>,
}

/// Values for params.
#[derive(Debug, Clone, Default, Args)]
pub struct ParamArgs {
    /// Value for a param (not for a secret one: those come from the environment or a file)
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub param: Vec<String>,
    /// YAML or JSON file with values for params
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub params_file: Vec<PathBuf>,
}

/// What `run` takes.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: FileArgs,
    /// How to go about it.
    #[command(flatten)]
    pub pass: PassArgs,
    /// Run in the sandbox: no account, no cost; this program stands in for AWS and Kubernetes
    #[arg(long)]
    pub sandbox: bool,
    /// The sandbox's world folder, to keep or to share with `hprun sandbox` [default: one of the run's own]
    #[arg(long, value_name = "FOLDER", requires = "sandbox")]
    pub sandbox_world: Option<PathBuf>,
    /// How many times faster than the wall the sandbox's clock runs
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = speed, requires = "sandbox")]
    pub sandbox_speed: f64,
    /// Script of faults for the sandbox (docs/sandbox-faults.md)
    #[arg(long, value_name = "FILE", requires = "sandbox")]
    pub sandbox_faults: Option<PathBuf>,
    /// IAM policy that the caller has in the sandbox, as `hprun iam-policy` prints it; what it does not allow is denied
    #[arg(long, value_name = "FILE", requires = "sandbox")]
    pub sandbox_policy: Option<PathBuf>,
    /// Start a new run although an unfinished one of this pipeline exists
    #[arg(long)]
    pub new: bool,
}

/// How to go about a pass.
#[derive(Debug, Clone, Args)]
pub struct PassArgs {
    /// Do not ask: run against the account that the credentials lead to
    #[arg(short, long)]
    pub yes: bool,
    /// Never ask for anything; a missing param is an error
    #[arg(long)]
    pub no_input: bool,
    /// Most steps at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub max_parallel: u16,
}

/// What `resume` takes.
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// The run's id, or its beginning [default: the newest run that is not finished]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Params to change.
    #[command(flatten)]
    pub params: ParamArgs,
    /// How to go about it.
    #[command(flatten)]
    pub pass: PassArgs,
    /// What to do with which step.
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// What is different in the run's sandbox from now on.
    #[command(flatten)]
    pub sandbox: SandboxFileArgs,
}

/// What `rerun` takes.
#[derive(Debug, Clone, Args)]
pub struct RerunArgs {
    /// The old run's id, or its beginning [default: the newest run, finished or not]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Params to change.
    #[command(flatten)]
    pub params: ParamArgs,
    /// How to go about it.
    #[command(flatten)]
    pub pass: PassArgs,
    /// What is different in the run's sandbox from now on.
    #[command(flatten)]
    pub sandbox: SandboxFileArgs,
}

/// What is different in a run's sandbox from now on.
#[derive(Debug, Clone, Default, Args)]
pub struct SandboxFileArgs {
    /// Script of faults for the sandbox that the run happens in
    #[arg(long, value_name = "FILE")]
    pub sandbox_faults: Option<PathBuf>,
    /// IAM policy that the caller has in the sandbox from now on
    #[arg(long, value_name = "FILE")]
    pub sandbox_policy: Option<PathBuf>,
}

/// What a person chooses for a resume.
#[derive(Debug, Clone, Args)]
pub struct ChoiceArgs {
    /// Only say what would be reused, what would run again and why, and what cannot be done
    #[arg(long)]
    pub explain: bool,
    /// Run this step and all that need it again, whatever was done (after a secret was changed, say)
    #[arg(long, value_name = "STEP", conflicts_with = "only")]
    pub from: Vec<String>,
    /// Run this step alone; the results of the others stand as they are
    #[arg(long, value_name = "STEP")]
    pub only: Option<String>,
    /// Take this step as done, without looking
    #[arg(long, value_name = "STEP")]
    pub trust: Vec<String>,
    /// Go on here although the run was exported: nobody may go on with it elsewhere then
    #[arg(long)]
    pub take_back: bool,
}

/// What `plan` takes.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: FileArgs,
    /// Plan what resuming this run would do [default: a new run]
    #[arg(long, value_name = "RUN")]
    pub resume: Option<String>,
}

/// What `show` takes.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// The run's id, or its beginning [default: the newest run]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
}

/// What `outputs` takes.
#[derive(Debug, Clone, Args)]
pub struct OutputsArgs {
    /// The run's id, or its beginning [default: the newest run]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Form: `env` for a shell, `json` for programs
    #[arg(long, value_enum, default_value_t = OutputsFormat::Json)]
    pub format: OutputsFormat,
}

/// Form of printed outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputsFormat {
    /// Lines that a shell can source: STEP_OUTPUT='value'
    Env,
    /// One JSON object: step → output → value
    Json,
}

/// What `export` takes.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// The run's id, or its beginning
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Where to write it; - is stdout [default: RUN.hprun-run]
    #[arg(short = 'o', long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Only a copy to look at: the run stays here, and the copy cannot be resumed
    #[arg(long)]
    pub copy: bool,
}

/// What `import` takes.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// The file that `hprun export` wrote; - is stdin
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// The pipeline file on this machine [default: the path that the run recorded]
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    pub pipeline: Option<PathBuf>,
}

/// What `steps` takes.
#[derive(Debug, Clone, Args)]
pub struct StepsArgs {
    /// A step type [default: list them all]
    #[arg(value_name = "TYPE")]
    pub step_type: Option<String>,
    /// Print the list as Markdown too, as a page that links to the others (a page always is Markdown)
    #[arg(long)]
    pub markdown: bool,
}

/// What `explain` takes.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// The code of a finding, such as HP0123 [default: list them all]
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
    /// Print all of them as Markdown
    #[arg(long, conflicts_with = "code")]
    pub markdown: bool,
}

/// What `graph` takes.
#[derive(Debug, Clone, Args)]
pub struct GraphArgs {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: FileArgs,
    /// Language of the drawing
    #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
    pub format: GraphFormat,
}

/// What `iam-policy` takes.
#[derive(Debug, Clone, Args)]
pub struct IamPolicyArgs {
    /// The pipeline.
    #[command(flatten)]
    pub pipeline: FileArgs,
    /// Print a list of policies that are each short enough for a managed policy
    #[arg(long, conflicts_with = "explain")]
    pub split: bool,
    /// Print which step needs which action on what, in place of the policy
    #[arg(long)]
    pub explain: bool,
}

/// Language of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Mermaid, as GitHub renders it
    Mermaid,
    /// Graphviz
    Dot,
}

/// What `sandbox` takes.
#[cfg(feature = "sandbox")]
#[derive(Debug, Clone, Args)]
pub struct SandboxArgs {
    /// Folder that keeps the world [default: a new one that is removed at the end]
    #[arg(long, value_name = "FOLDER")]
    pub world: Option<PathBuf>,
    /// How many times faster than the wall its clock runs
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = speed)]
    pub speed: f64,
    /// Script of faults (docs/sandbox-faults.md)
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// IAM policy that the caller has, as `hprun iam-policy` prints it; what it does not allow is denied
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// What `lsp` takes.
#[derive(Debug, Clone, Args)]
pub struct LspArgs {
    /// Values for params, as `check` takes them.
    #[command(flatten)]
    pub params: ParamArgs,
    /// Taken for editors that pass it; it changes nothing: there is no other way
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// What `eks-token` takes.
#[derive(Debug, Clone, Args)]
pub struct EksTokenArgs {
    /// Name of the EKS cluster
    #[arg(long, value_name = "NAME")]
    pub cluster_name: String,
    /// Region of the cluster
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Profile to sign with
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Role to assume first
    #[arg(long, value_name = "ARN")]
    pub role: Option<String>,
}

/// What `completions` takes.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// How fast a sandbox's clock may run: from the wall's speed to a day a second.
#[cfg(feature = "sandbox")]
fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if (1.0..=86_400.0).contains(&speed) { Ok(speed) } else { Err("it must be from 1 to 86400".to_owned()) }
}

/// `hprun FILE` is `hprun run FILE`: puts `run` first when the first word is a file, or looks like the name of one. What
/// is neither that nor a command is left for clap, which knows the nearest command.
pub fn with_run_implied(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let mut command = Cli::command();
    command.build();
    let run = command.find_subcommand("run").expect("run is a command");
    let takes_a_value = |word: &str| {
        run.get_arguments().filter(|argument| argument.get_action().takes_values()).any(|argument| {
            argument.get_long().is_some_and(|long| word == format!("--{long}"))
                || argument.get_short().is_some_and(|short| word == format!("-{short}"))
        })
    };
    let mut words = arguments.iter().skip(1).map(|argument| argument.to_string_lossy());
    while let Some(word) = words.next() {
        if takes_a_value(&word) {
            words.next();
        } else if !word.starts_with('-') {
            let path = Path::new(word.as_ref());
            let is_file = path.extension().is_some() || path.components().count() > 1 || path.exists();
            if command.find_subcommand(word.as_ref()).is_none() && is_file {
                arguments.insert(1, "run".into());
            }
            break;
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let arguments = line.split(' ').map(OsString::from).collect();
        let got: Vec<String> =
            with_run_implied(arguments).into_iter().map(|a| a.to_string_lossy().into_owned()).collect();
        assert_eq!(got.join(" "), expected);
    }

    #[test]
    fn a_file_alone_is_run() {
        check("hprun a.yaml", "hprun run a.yaml");
        check("hprun --sandbox a.yaml", "hprun run --sandbox a.yaml");
        check("hprun --state s a.yaml --yes", "hprun run --state s a.yaml --yes");
        check("hprun pipelines/full", "hprun run pipelines/full");
        check("hprun --sandbox --sandbox-speed 600 a.yaml", "hprun run --sandbox --sandbox-speed 600 a.yaml");
        check("hprun -p a=b a.yaml", "hprun run -p a=b a.yaml");
    }

    #[test]
    fn a_command_is_itself() {
        check("hprun check a.yaml", "hprun check a.yaml");
        check("hprun --state s runs", "hprun --state s runs");
        check("hprun --help", "hprun --help");
        check("hprun chekc a.yaml", "hprun chekc a.yaml");
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
