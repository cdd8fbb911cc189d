//! How much of everything a template may have.
//! Knows nothing of what stands in it.

use super::Problem;
use super::read::Template;
use crate::codes::template as codes;

/// Largest body that CreateStack and CreateChangeSet take, in bytes (AWS API reference, `TemplateBody`).
pub const LARGEST_BODY: usize = 51_200;
/// Largest template that CloudFormation reads from S3, in bytes (CloudFormation quotas).
pub const LARGEST_TEMPLATE: usize = 1_048_576;
/// CloudFormation quotas.
const MOST_PARAMETERS: usize = 200;
const MOST_MAPPINGS: usize = 200;
const MOST_OUTPUTS: usize = 200;
const MOST_RESOURCES: usize = 500;

/// Sections with more entries than CloudFormation takes, told at the first entry too many.
pub(super) fn check(template: &Template) -> Vec<Problem> {
    let Template { parameters, mappings, resources, outputs, .. } = template;
    let place = |index: usize| parameters.get_index(index).map(|(_, parameter)| parameter.place);
    let counts = [
        ("parameters", parameters.len(), MOST_PARAMETERS, place(MOST_PARAMETERS)),
        ("mappings", mappings.len(), MOST_MAPPINGS, None),
        ("resources", resources.len(), MOST_RESOURCES, resources.get_index(MOST_RESOURCES).map(|(_, it)| it.place)),
        ("outputs", outputs.len(), MOST_OUTPUTS, outputs.get_index(MOST_OUTPUTS).map(|(_, it)| it.place)),
    ];
    let too_many = counts.into_iter().filter(|(_, count, most, _)| count > most);
    let told = too_many.map(|(what, count, most, place)| {
        let message = format!("the template has {count} {what}; CloudFormation takes {most}");
        Problem::error(&codes::TOO_MANY, place.unwrap_or_default(), message).help("divide it into several stacks")
    });
    told.collect()
}
