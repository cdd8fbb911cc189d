//! `hprun steps [TYPE]`: what pipelines can do. The same text is the reference in docs/steps.

use hprun_steps::partial::nearest;

use super::args::{Global, Output, StepsArgs};
use super::reference::{index, page};
use super::{CliError, print};

/// Prints the list, or one reference page.
pub fn run(global: &Global, args: &StepsArgs) -> Result<(), CliError> {
    let types = hprun_steps::STEP_TYPES;
    let Some(name) = &args.step_type else {
        if args.markdown {
            print::data(index(types))?;
        } else if global.output == Output::Json {
            let all = types.iter().map(|of| serde_json::json!({ "type": of.name, "summary": of.summary }));
            print::data(format!("{:#}", serde_json::Value::from_iter(all)))?;
        } else {
            for step_type in types {
                print::data(format!("{:<20} {}", step_type.name, step_type.summary))?;
            }
        }
        return Ok(());
    };
    let Some(step_type) = hprun_steps::find(name) else {
        let help = nearest(name, types.iter().map(|t| t.name)).map(|right| format!("did you mean `{right}`?"));
        let help = help.or_else(|| Some("see them all with: hprun steps".to_owned()));
        return Err(CliError::Usage { message: format!("there is no step type `{name}`"), help });
    };
    if global.output == Output::Json {
        let (inputs, outputs) = ((step_type.input_schema)(), (step_type.output_schema)());
        print::data(format!(
            "{:#}",
            serde_json::json!({ "type": name, "summary": step_type.summary, "inputs": inputs, "outputs": outputs })
        ))?;
    } else {
        print::data(page(step_type))?;
    }
    Ok(())
}
