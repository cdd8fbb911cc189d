//! Client request tokens: the same request again is answered again, another request with an old token is refused.
//! It must not know what the operations do.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::wire::{Call, ServiceError};

/// What a token was used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Used {
    operation: String,
    digest: String,
    stack: String,
}

/// A token of a call; nothing happens with calls that have none.
pub(super) struct Token {
    key: Option<String>,
    used: Used,
}

impl Token {
    /// The token of this call on the stack of this name.
    pub(super) fn new(call: &Call, stack_name: &str, token: Option<&str>) -> Result<Self, ServiceError> {
        if let Some(token) = token {
            check(token)?;
        }
        let digest = hex::encode(Sha256::digest(&call.body));
        let used = Used { operation: call.operation.clone(), digest, stack: String::new() };
        Ok(Self { key: token.map(|token| format!("{stack_name} {token}")), used })
    }

    /// The stack's id if this very request was carried out before.
    pub(super) fn seen(&self, state: &super::State) -> Result<Option<String>, ServiceError> {
        let Some((key, before)) = self.key.as_ref().and_then(|key| Some((key, state.tokens.get(key)?))) else {
            return Ok(None);
        };
        let same = before.operation == self.used.operation && before.digest == self.used.digest;
        let gone = state.stacks.get(&before.stack).is_none_or(|stack| stack.deleted.is_some());
        if same && (!gone || before.operation == "DeleteStack") {
            return Ok(Some(before.stack.clone()));
        }
        let token = key.split_once(' ').map_or("", |(_, token)| token);
        Err(ServiceError::new(400, "TokenAlreadyExistsException", format!("Token [{token}] already exists")))
    }

    /// Remembers that it was carried out.
    pub(super) fn spend(self, state: &mut super::State, stack_id: &str) {
        if let Some(key) = self.key {
            state.tokens.insert(key, Used { stack: stack_id.to_owned(), ..self.used });
        }
    }
}

fn check(token: &str) -> Result<(), ServiceError> {
    let regular = token.len() <= 128
        && token.starts_with(|c: char| c.is_ascii_alphanumeric())
        && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if regular {
        return Ok(());
    }
    Err(super::operations::invalid(format!(
        "1 validation error detected: Value '{token}' at 'clientRequestToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9][-a-zA-Z0-9]*"
    )))
}
