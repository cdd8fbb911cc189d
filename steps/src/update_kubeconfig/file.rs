//! The kubeconfig as a file: what it says of one cluster, and how that goes into a file that holds others.
//! Knows nothing of AWS and sends nothing.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use serde_yaml::Value as Yaml;

/// One cluster with the way to log in to it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name of the context: an alias, or the cluster's ARN.
    pub context: String,
    /// ARN of the cluster: the name of the cluster's and the user's entry, as the AWS CLI has it.
    pub arn: String,
    /// `https://…`
    pub endpoint: String,
    /// Certificate of the cluster's authority: PEM in base64.
    pub authority: String,
    /// The program that prints a token.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// What it needs in its environment.
    pub environment: Vec<(String, String)>,
}

impl Entry {
    /// A kubeconfig with this cluster alone.
    pub fn kubeconfig(&self) -> Json {
        let variables: Vec<Json> =
            self.environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {},
            "clusters": [{
                "name": self.arn,
                "cluster": { "server": self.endpoint, "certificate-authority-data": self.authority },
            }],
            "users": [{
                "name": self.arn,
                "user": { "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1beta1",
                    "command": self.program.to_string_lossy(),
                    "args": self.args,
                    "env": variables,
                    "interactiveMode": "Never",
                    "provideClusterInfo": false,
                } },
            }],
            "contexts": [{ "name": self.context, "context": { "cluster": self.arn, "user": self.arn } }],
            "current-context": self.context,
        })
    }

    /// The text of a kubeconfig with this cluster alone.
    ///
    /// # Errors
    /// Never, as far as is known: all of it is text.
    pub fn text(&self) -> Result<String, String> {
        serde_yaml::to_string(&self.kubeconfig()).map_err(|e| e.to_string())
    }

    /// The text of `existing` with this cluster in it and current; all else in it is kept (comments are lost).
    ///
    /// # Errors
    /// `existing` is no kubeconfig.
    pub fn merged_into(&self, existing: &str) -> Result<String, String> {
        let mut whole: Yaml = serde_yaml::from_str(existing).map_err(|e| e.to_string())?;
        if whole.is_null() {
            return self.text();
        }
        let map = whole.as_mapping_mut().ok_or("it is no mapping")?;
        let own = serde_yaml::to_value(self.kubeconfig()).map_err(|e| e.to_string())?;
        for (key, value) in own.as_mapping().into_iter().flatten() {
            let Some(key_text) = key.as_str() else { continue };
            match key_text {
                "clusters" | "users" | "contexts" => {
                    let list = map.entry(key.clone()).or_insert(Yaml::Null);
                    upsert(list, value).map_err(|e| format!("`{key_text}` {e}"))?;
                }
                "current-context" => drop(map.insert(key.clone(), value.clone())),
                _ if map.contains_key(key) => {}
                _ => drop(map.insert(key.clone(), value.clone())),
            }
        }
        serde_yaml::to_string(&whole).map_err(|e| e.to_string())
    }
}

/// Puts the one item of `own` into `list`, in place of an item of the same name.
fn upsert(list: &mut Yaml, own: &Yaml) -> Result<(), String> {
    if list.is_null() {
        *list = Yaml::Sequence(Vec::new());
    }
    let items = list.as_sequence_mut().ok_or("is no list")?;
    for new in own.as_sequence().into_iter().flatten() {
        match items.iter_mut().find(|item| item.get("name") == new.get("name")) {
            Some(old) => *old = new.clone(),
            None => items.push(new.clone()),
        }
    }
    Ok(())
}

/// The user's own kubeconfig: the first file that KUBECONFIG names, else `~/.kube/config`. Symbolic links are followed,
/// so that writing keeps them.
pub fn users_own(kubeconfig: Option<&str>, home: Option<&Path>) -> Option<PathBuf> {
    let named = kubeconfig.and_then(|list| list.split(':').find(|path| !path.is_empty())).map(PathBuf::from);
    let path = named.or_else(|| home.map(|home| home.join(".kube/config")))?;
    Some(path.canonicalize().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            context: "ml".to_owned(),
            arn: "arn:aws:eks:us-west-2:111122223333:cluster/ml".to_owned(),
            endpoint: "https://new".to_owned(),
            authority: "QQ==".to_owned(),
            program: PathBuf::from("/opt/hprun"),
            args: vec!["eks-token".to_owned()],
            environment: vec![("AWS_REGION".to_owned(), "us-west-2".to_owned())],
        }
    }

    #[test]
    fn a_cluster_goes_into_a_file_and_all_else_in_it_stays() {
        let existing = "apiVersion: v1\nkind: Config\nextensions: [{name: mine}]\ncurrent-context: other\ncontexts:\n- {name: other, context: {cluster: other, user: other}}\n\
             clusters:\n- {name: other, cluster: {server: 'https://other'}}\n- {name: 'arn:aws:eks:us-west-2:111122223333:cluster/ml', cluster: {server: 'https://old'}}\n";
        let first = entry().merged_into(existing).expect("it merges");
        let merged: Json = serde_yaml::from_str(&first).expect("YAML");
        assert_eq!(merged["current-context"], "ml");
        assert_eq!(merged["extensions"][0]["name"], "mine");
        assert_eq!(merged["clusters"].as_array().map(Vec::len), Some(2));
        assert_eq!(merged["clusters"][0]["cluster"]["server"], "https://other");
        assert_eq!(merged["clusters"][1]["cluster"]["server"], "https://new");
        assert_eq!(merged["contexts"][0]["context"]["user"], "other");
        assert_eq!(merged["users"][0]["user"]["exec"]["command"], "/opt/hprun");
        assert_eq!(entry().merged_into(&first).expect("it merges"), first, "a second time changes nothing");
    }

    #[test]
    fn an_empty_file_becomes_whole_and_a_strange_one_is_refused() {
        assert_eq!(entry().merged_into("").expect("empty"), entry().text().expect("text"));
        assert!(entry().merged_into("[1]").is_err());
        assert!(entry().merged_into("clusters: 3").is_err());
    }

    #[test]
    fn the_users_file_is_the_first_that_is_named() {
        let home = Path::new("/nowhere/me");
        assert_eq!(users_own(Some(":/nowhere/a:/nowhere/b"), Some(home)), Some(PathBuf::from("/nowhere/a")));
        assert_eq!(users_own(Some(""), Some(home)), Some(PathBuf::from("/nowhere/me/.kube/config")));
        assert_eq!(users_own(None, None), None);
    }
}
