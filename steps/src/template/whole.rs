//! The form of a template where it shows only when all sections are read.
//! Knows nothing of values.

use super::Problem;
use super::calls::Call;
use super::node::Shape;
use super::parameters::Parameter;
use super::read::Template;
use super::sections::Form;
use crate::codes::template as codes;

impl Form {
    /// Parameters and resources share their names: `Ref` takes both.
    pub(super) fn same_names(&mut self, template: &Template) {
        for (name, parameter) in &template.parameters {
            if let Some(resource) = template.resources.get(name) {
                self.problems.push(
                    Problem::error(
                        &codes::DUPLICATE_KEY,
                        resource.place,
                        format!("`{name}` is a parameter and a resource"),
                    )
                    .related(parameter.place, "the parameter")
                    .help("give one of them another name: `Ref` takes both"),
                );
            }
        }
    }

    /// Outputs that would be lists, which CloudFormation does not take.
    pub(super) fn list_outputs(&mut self, template: &Template) {
        for (name, output) in &template.outputs {
            let Some(value) = &output.value else { continue };
            let list = match (Call::of(value), &value.shape) {
                (Some(call), _) if call.name == "Ref" => {
                    let parameter = call.argument.text().and_then(|name| template.parameters.get(name));
                    parameter.is_some_and(Parameter::is_list)
                }
                (Some(call), _) => matches!(call.name, "Fn::Split" | "Fn::GetAZs" | "Fn::Cidr"),
                (None, Shape::List(_) | Shape::Map(_)) => true,
                (None, Shape::Scalar(_) | Shape::Null) => false,
            };
            if list {
                self.problems.push(
                    Problem::error(&codes::WRONG_SHAPE, value.place, format!("the output `{name}` must be a text"))
                        .help("write !Join [\",\", …] around a list"),
                );
            }
        }
    }
}
