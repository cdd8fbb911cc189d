//! The file of variables that a shell can `source`, with the names of the guide's create_config.sh.
//! Knows nothing of where it is written to; its text gives a shell exactly the values, whatever is in them.

use indexmap::IndexMap;

use super::{FetchOutputs, Fetched, Logical};
use crate::error::StepError;
use crate::value::Value;

/// The variables of the guide's create_config.sh, then those of `env`.
pub fn variables(
    inputs: &FetchOutputs,
    fetched: &Fetched,
    region: &str,
) -> Result<IndexMap<String, String>, StepError> {
    let mut all =
        IndexMap::from([("AWS_REGION".to_owned(), region.to_owned()), ("STACK_ID".to_owned(), inputs.stack.clone())]);
    for logical in Logical::ALL {
        if let Some(value) = fetched.get(logical) {
            all.insert(logical.spellings().2.to_owned(), value);
        }
    }
    for (name, value) in &inputs.env {
        let text = text_of(value).map_err(|e| StepError::invalid(format!("the variable {name} {e}")))?;
        all.insert(name.clone(), text);
    }
    Ok(all)
}

/// A value as the text of a variable; the error finishes "the variable X …".
fn text_of(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Bool(b) => Ok(b.to_string()),
        Value::Integer(i) => Ok(i.to_string()),
        Value::Float(f) => Ok(f.to_string()),
        Value::String(s) => Ok(s.clone()),
        Value::Secret(s) => Ok(s.reveal().to_owned()),
        Value::List(items) => Ok(items.iter().map(text_of).collect::<Result<Vec<_>, _>>()?.join(",")),
        Value::Map(_) => Err("is a map; a variable holds text, a number, a boolean or a list".to_owned()),
    }
}

/// Lines that a shell reads back to exactly these values, whatever is in them.
pub fn text(variables: &IndexMap<String, String>) -> Result<String, StepError> {
    let mut text = String::new();
    for (name, value) in variables {
        if !is_variable(name) {
            return Err(StepError::invalid(format!("`{name}` is no name for a shell variable")));
        }
        if value.contains('\0') {
            return Err(StepError::invalid(format!("the variable {name} holds a NUL, which no shell variable can")));
        }
        // Within single quotes a shell reads everything as it is; only the quote itself must stand outside.
        text.push_str(&format!("export {name}='{}'\n", value.replace('\'', r"'\''")));
    }
    Ok(text)
}

pub fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_reads_back_the_exact_values() {
        let values = [
            "plain",
            "two words  and more ",
            "it's \"quoted\"",
            "$HOME ${X} $(id) `id`",
            "back\\slash\\n",
            "line one\nline two\n",
            "",
            "'''",
            "! * ? ~ # ; & | < >",
            "ümlaut ✓",
        ];
        let variables: IndexMap<String, String> =
            values.iter().enumerate().map(|(i, v)| (format!("HP_{i}"), (*v).to_owned())).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("env");
        std::fs::write(&path, text(&variables).expect("it can be written")).expect("written");
        let print: String = (0..values.len()).map(|i| format!("printf '%s\\0' \"$HP_{i}\"; ")).collect();
        let ran = std::process::Command::new("bash")
            .args(["-c", &format!(". \"$1\"; {print}"), "bash"])
            .arg(&path)
            .output()
            .expect("bash is there");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let printed = String::from_utf8(ran.stdout).expect("UTF-8");
        let read: Vec<&str> = printed.split_terminator('\0').collect();
        assert_eq!(read, values);
        assert!(text(&IndexMap::from([("A".to_owned(), "\0".to_owned())])).is_err());
    }
}
