//! Reads the parameters of a Query call: `Name=x&Tags.member.1.Key=k`, each taken once.
//! Must not know their names; what nobody took is refused by `finish`.

use std::collections::BTreeMap;

use super::{Call, Protocol, ServiceError, protocol_of};

/// The parameters not yet taken, by dotted name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    fields: BTreeMap<String, String>,
    service: String,
    operation: String,
    flat: bool,
}

impl Form {
    pub(super) fn parse(call: &Call) -> Form {
        let body = form_urlencoded::parse(&call.body).into_owned();
        let mut fields: BTreeMap<String, String> = call.query.iter().cloned().chain(body).collect();
        fields.remove("Action");
        fields.remove("Version");
        fields.retain(|name, _| !name.starts_with("X-Amz-"));
        Form {
            fields,
            service: call.service.clone(),
            operation: call.operation.clone(),
            flat: protocol_of(&call.service) == Protocol::Ec2,
        }
    }

    /// The value of this name.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.fields.remove(name)
    }

    /// The value of this name, which must be there.
    ///
    /// # Errors
    /// `MissingParameter` (EC2) or `ValidationError` (the others) with AWS's words.
    pub fn need(&mut self, name: &str) -> Result<String, ServiceError> {
        self.take(name).ok_or_else(|| {
            if self.flat {
                ServiceError::new(400, "MissingParameter", format!("The request must contain the parameter {name}"))
            } else {
                let member = name.chars().next().map(|c| c.to_lowercase().collect::<String>() + &name[c.len_utf8()..]).unwrap_or_default();
                let message = format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null");
                ServiceError::new(400, "ValidationError", message)
            }
        })
    }

    /// `true` or `false`, if given.
    ///
    /// # Errors
    /// `ValidationError` (`InvalidParameterValue` in EC2) for any other text.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, ServiceError> {
        match self.take(name).as_deref() {
            None => Ok(None),
            Some("true" | "True") => Ok(Some(true)),
            Some("false" | "False") => Ok(Some(false)),
            Some(other) => Err(self.wrong(name, other)),
        }
    }

    /// A whole number, if given.
    ///
    /// # Errors
    /// `ValidationError` (`InvalidParameterValue` in EC2) for any other text.
    pub fn number(&mut self, name: &str) -> Result<Option<i64>, ServiceError> {
        self.take(name).map(|text| text.parse().map_err(|_| self.wrong(name, &text))).transpose()
    }

    /// The items of a list in order, each a form of its own. `name` is without `.member`.
    pub fn list(&mut self, name: &str) -> Vec<Form> {
        let prefix = if self.flat { format!("{name}.") } else { format!("{name}.member.") };
        let mut items: BTreeMap<u64, Form> = BTreeMap::new();
        for (field, value) in self.split_off(&prefix) {
            let (index, rest) = field.split_once('.').unwrap_or((&field, ""));
            match index.parse() {
                Ok(index) => {
                    items.entry(index).or_insert_with(|| self.empty()).fields.insert(rest.to_owned(), value);
                }
                Err(_) => {
                    self.fields.insert(format!("{prefix}{field}"), value);
                }
            }
        }
        // An empty list is sent as `Name=` by some clients.
        if self.fields.get(name).is_some_and(String::is_empty) {
            self.fields.remove(name);
        }
        items.into_values().collect()
    }

    /// The items of a list of texts.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        let items = self.list(name);
        items.into_iter().map(|mut item| item.take("").unwrap_or_default()).collect()
    }

    /// A structure's members as a form of their own, if any was given.
    pub fn inner(&mut self, name: &str) -> Option<Form> {
        let fields = self.split_off(&format!("{name}."));
        (!fields.is_empty()).then(|| Form { fields, ..self.empty() })
    }

    /// Refuses what nobody took.
    ///
    /// # Errors
    /// Names the first parameter that the sandbox does not have.
    pub fn finish(self) -> Result<(), ServiceError> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(name) => Err(ServiceError::not_part(format!(
                "parameter {name} of operation {} of service {}",
                self.operation, self.service
            ))),
        }
    }

    fn split_off(&mut self, prefix: &str) -> BTreeMap<String, String> {
        let names: Vec<String> = self.fields.keys().filter(|field| field.starts_with(prefix)).cloned().collect();
        names
            .into_iter()
            .filter_map(|name| self.fields.remove(&name).map(|value| (name[prefix.len()..].to_owned(), value)))
            .collect()
    }

    fn empty(&self) -> Form {
        Form {
            fields: BTreeMap::new(),
            service: self.service.clone(),
            operation: self.operation.clone(),
            flat: self.flat,
        }
    }

    fn wrong(&self, name: &str, value: &str) -> ServiceError {
        let code = if self.flat { "InvalidParameterValue" } else { "ValidationError" };
        ServiceError::new(400, code, format!("Invalid value '{value}' for {name}"))
    }
}
