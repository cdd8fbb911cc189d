//! How a person logs in again, for the kind of credentials that this process goes by.
//! Reads the names of variables and the shared configuration; knows nothing of requests, and never shows a secret.

use std::borrow::Cow;

use aws_config::profile::{Profile, ProfileSet, load};
use aws_types::os_shim_internal::{Env, Fs};

/// Most profiles that may lean on each other (`source_profile`).
const DEEPEST: usize = 8;

/// What to type, for the profile that was named, or for what the environment says.
pub async fn advice(named: Option<&str>) -> String {
    advice_in(&Env::real(), &Fs::real(), named).await
}

/// In the order in which the SDK looks: variables, the profile, a token file, what a container or an instance gives.
async fn advice_in(env: &Env, fs: &Fs, named: Option<&str>) -> String {
    let is_set = |name: &str| env.get(name).is_ok_and(|value| !value.is_empty());
    if is_set("AWS_ACCESS_KEY_ID") {
        return "put new credentials into AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN".to_owned();
    }
    let named = named.map(|name| Cow::Owned(name.to_owned()));
    let of_profile = match load(fs, env, &Default::default(), named).await {
        Ok(profiles) => of_profile(&profiles),
        Err(_) => None,
    };
    if let Some(advice) = of_profile {
        return advice;
    }
    if is_set("AWS_WEB_IDENTITY_TOKEN_FILE") {
        return "see that AWS_WEB_IDENTITY_TOKEN_FILE names a token that is still valid".to_owned();
    }
    if is_set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
        return "see that the role of this container is still there".to_owned();
    }
    "log in (for example `aws sso login`)".to_owned()
}

/// What the profile gets its credentials from decides; a profile that assumes a role leans on another one.
fn of_profile(profiles: &ProfileSet) -> Option<String> {
    let mut name = profiles.selected_profile().to_owned();
    for _ in 0..DEEPEST {
        let profile = profiles.get_profile(&name)?;
        if let Some(advice) = of_kind(profile, &name) {
            return Some(advice);
        }
        match profile.get("source_profile") {
            Some(source) if source != name => source.clone_into(&mut name),
            Some(_) | None => return None,
        }
    }
    None
}

fn of_kind(profile: &Profile, name: &str) -> Option<String> {
    let of = if name == "default" { String::new() } else { format!(" --profile {name}") };
    if profile.get("sso_session").is_some() || profile.get("sso_start_url").is_some() {
        return Some(format!("log in again: `aws sso login{of}`"));
    }
    if profile.get("login_session").is_some() {
        // The SDK would need a feature of its own for these sessions.
        return Some(format!(
            "hprun cannot use a session of `aws login` itself: `eval \"$(aws configure export-credentials{of} --format env)\"`"
        ));
    }
    if let Some(command) = profile.get("credential_process") {
        // Not the whole line: its arguments may hold a secret.
        let program = command.split_whitespace().next().unwrap_or_default();
        return Some(format!(
            "run the `credential_process` of the profile {name} by hand to see what it lacks: {program}"
        ));
    }
    if profile.get("web_identity_token_file").is_some() {
        return Some(format!("see that the `web_identity_token_file` of the profile {name} is still valid"));
    }
    profile.get("aws_access_key_id").map(|_| format!("put new credentials into the profile {name}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const CONFIG: &str = "[default]\nsso_session = my\n[profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = x\n\
        [profile old]\nsso_start_url = https://my.example\n[profile new]\nlogin_session = arn:aws:iam::111122223333:user/me\n\
        [profile program]\ncredential_process = /opt/give --token hidden\n[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = old\n\
        [profile loop]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = loop\n";

    async fn check(variables: &[(&str, &str)], named: Option<&str>) -> String {
        let env = Env::from_slice(&[&[("AWS_CONFIG_FILE", "/c"), ("HOME", "/home")][..], variables].concat());
        let files = HashMap::from([("/c".to_owned(), CONFIG)]);
        advice_in(&env, &Fs::from_map(files), named).await
    }

    #[tokio::test]
    async fn the_advice_fits_where_the_credentials_come_from() {
        assert_eq!(check(&[], None).await, "log in again: `aws sso login`");
        assert_eq!(check(&[("AWS_PROFILE", "old")], None).await, "log in again: `aws sso login --profile old`");
        assert_eq!(
            check(&[("AWS_PROFILE", "old")], Some("new")).await,
            "hprun cannot use a session of `aws login` itself: `eval \"$(aws configure export-credentials --profile new --format env)\"`"
        );
        assert_eq!(check(&[], Some("role")).await, "log in again: `aws sso login --profile old`");
        assert_eq!(check(&[], Some("keys")).await, "put new credentials into the profile keys");
        let program = "run the `credential_process` of the profile program by hand to see what it lacks: /opt/give";
        assert_eq!(check(&[], Some("program")).await, program, "its arguments are not shown");
        assert_eq!(check(&[], Some("loop")).await, "log in (for example `aws sso login`)");
        assert!(
            check(&[("AWS_ACCESS_KEY_ID", "AKIA")], Some("new")).await.starts_with("put new credentials into AWS_")
        );
        assert!(check(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")], Some("none")).await.contains("AWS_WEB_IDENTITY"));
    }
}
