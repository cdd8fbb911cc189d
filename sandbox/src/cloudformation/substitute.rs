//! Small text machinery of the evaluator: the parts of an `Fn::Sub` text and the blocks of an `Fn::Cidr`.
//! It must not know templates.

use std::net::Ipv4Addr;

use super::text::TemplateError;

/// One part of an `Fn::Sub` text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Literal text, with `${!Name}` already written as `${Name}`.
    Text(String),
    /// The name between `${` and `}`.
    Variable(String),
}

/// The error of an `Fn::Sub` whose arguments have the wrong shape.
pub fn wrong_arguments() -> TemplateError {
    TemplateError::error(
        "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string",
    )
}

/// Divides an `Fn::Sub` text.
pub fn parts(text: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else {
            break;
        };
        let name = rest[start + 2..start + length].trim();
        parts.push(Part::Text(rest[..start].to_owned()));
        if let Some(literal) = name.strip_prefix('!') {
            parts.push(Part::Text(format!("${{{literal}}}")));
        } else if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c)) {
            parts.push(Part::Variable(name.to_owned()));
        } else {
            return Err(TemplateError::error(
                "variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons",
            ));
        }
        rest = &rest[start + length + 1..];
    }
    parts.push(Part::Text(rest.to_owned()));
    parts.retain(|part| *part != Part::Text(String::new()));
    Ok(parts)
}

/// `count` blocks of `2^bits` addresses each, from the start of an IPv4 block; `None` if they do not fit.
pub fn cidr_blocks(block: &str, count: u32, bits: u32) -> Option<Vec<String>> {
    let (address, prefix) = block.split_once('/')?;
    let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
    let prefix: u32 = prefix.parse().ok()?;
    if prefix > 32
        || bits > 32 - prefix
        || !(1..=256).contains(&count)
        || u64::from(count) << bits > 1u64 << (32 - prefix)
    {
        return None;
    }
    let size = 32 - bits;
    Some((0..count).map(|index| format!("{}/{size}", Ipv4Addr::from(address + (index << bits)))).collect())
}
