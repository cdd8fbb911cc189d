//! The actions and resources of each request: what IAM asks before the service sees it. Facts of AWS's service
//! authorization reference. Must not look at what hprun declares: it is held against this.

use serde_json::Value;

use super::{arn, eks, linked_role, pass_role, question, s3};
use crate::iam::Question;
use crate::journal::body_value;
use crate::wire::Call;
use crate::world::{Moment, State};
use crate::{cloudformation, sagemaker};

/// What is asked of the caller's policy for this call; nothing for what everyone may do.
pub(super) fn questions(state: &State, cx: &Moment<'_>, call: &Call) -> Vec<Question> {
    if call.service == "s3" {
        return s3::questions(state, call);
    }
    let body = body_value(&call.headers, &call.body);
    let asked = Asked { state, cx, call, body: &body };
    match call.service.as_str() {
        "sts" if call.operation == "GetCallerIdentity" => Vec::new(),
        "sts" => vec![asked.own(asked.text("RoleArn").unwrap_or("*"))],
        "cloudformation" => asked.cloudformation(),
        "eks" => eks::questions(state, cx, call, &body),
        "iam" => asked.iam(),
        "logs" => vec![asked.own(&asked.log_group())],
        "sagemaker" => asked.sagemaker(),
        "ssm" => asked.ssm(),
        "ec2" if !call.operation.starts_with("Describe") => vec![asked.own(&arn(cx, "ec2", "*"))],
        _ => vec![asked.own("*")],
    }
}

struct Asked<'a> {
    state: &'a State,
    cx: &'a Moment<'a>,
    call: &'a Call,
    body: &'a Value,
}

impl Asked<'_> {
    /// The action that has the operation's name, as almost all have.
    fn own(&self, resource: &str) -> Question {
        question(format!("{}:{}", self.call.service, self.call.operation), resource)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }

    fn cloudformation(&self) -> Vec<Question> {
        let stack = match self.text("StackName") {
            Some(name) if name.starts_with("arn:") => name.to_owned(),
            Some(name) => cloudformation::arn_of(self.state, name)
                .unwrap_or_else(|| arn(self.cx, "cloudformation", &format!("stack/{name}/*"))),
            None => "*".to_owned(),
        };
        let mut asked = vec![self.own(&stack)];
        if self.text("Tags.member.1.Key").is_some() {
            asked.push(question("cloudformation:TagResource", stack.as_str()));
        }
        if let Some(url) = self.text("TemplateURL") {
            asked.push(question("s3:GetObject", s3::arn_of_url(url)));
        }
        if let Some(role) = self.text("RoleARN") {
            asked.push(pass_role(role, "cloudformation.amazonaws.com"));
        }
        asked
    }

    fn iam(&self) -> Vec<Question> {
        if self.call.operation == "CreateServiceLinkedRole" {
            let service = self.text("AWSServiceName").unwrap_or_default();
            return linked_role(self.state, self.cx, service).into_iter().collect();
        }
        let role = |name: &str| crate::iam::arn_of_role(self.state, name, self.cx.account);
        let named = self.text("RoleName").map(role);
        let given = ["PolicyArn", "PolicySourceArn"].iter().find_map(|key| self.text(key)).map(str::to_owned);
        vec![self.own(&named.or(given).unwrap_or_else(|| "*".to_owned()))]
    }

    /// A group's ARN for what is asked of it as a whole, and of one of its streams.
    fn log_group(&self) -> String {
        let named = self.text("logGroupName").map(|name| arn(self.cx, "logs", &format!("log-group:{name}")));
        let given = self.text("logGroupIdentifier").map(|it| it.trim_end_matches(":*").to_owned());
        let Some(group) = named.or(given) else { return arn(self.cx, "logs", "log-group:*") };
        format!("{group}:log-stream:{}", self.text("logStreamName").unwrap_or_default())
    }

    fn ssm(&self) -> Vec<Question> {
        let parameter = |name: &str| arn(self.cx, "ssm", &format!("parameter/{}", name.trim_start_matches('/')));
        match (self.text("Name"), self.body.get("Names").and_then(Value::as_array)) {
            (Some(name), _) => vec![self.own(&parameter(name))],
            (None, Some(names)) => names.iter().filter_map(Value::as_str).map(|it| self.own(&parameter(it))).collect(),
            (None, None) => vec![self.own("*")],
        }
    }

    fn sagemaker(&self) -> Vec<Question> {
        let cluster =
            |name: &str| sagemaker::arn_of(self.state, name).unwrap_or_else(|| arn(self.cx, "sagemaker", "cluster/*"));
        let Some(name) = self.text("ClusterName") else {
            return vec![self.own(self.text("ResourceArn").unwrap_or("*"))];
        };
        let mut asked = vec![self.own(&cluster(name))];
        let making = self.call.operation == "CreateCluster";
        if making && self.body.get("Tags").and_then(Value::as_array).is_some_and(|tags| !tags.is_empty()) {
            asked.push(question("sagemaker:AddTags", cluster(name)));
        }
        if making || self.call.operation == "UpdateCluster" {
            asked.extend(self.roles());
        }
        if making {
            asked.extend(self.orchestrator());
            asked.extend(linked_role(self.state, self.cx, "hyperpod.sagemaker.amazonaws.com"));
        }
        asked
    }

    /// The roles of the groups and of the cluster go to SageMaker.
    fn roles(&self) -> Vec<Question> {
        let groups = ["InstanceGroups", "RestrictedInstanceGroups"].iter().filter_map(|key| self.body.get(key));
        let roles = groups.filter_map(Value::as_array).flatten().filter_map(|it| it["ExecutionRole"].as_str());
        let mut roles: Vec<&str> = roles.chain(self.text("ClusterRole")).collect();
        roles.sort_unstable();
        roles.dedup();
        roles.into_iter().map(|role| pass_role(role, "sagemaker.amazonaws.com")).collect()
    }

    /// HyperPod looks at the EKS cluster and makes access entries in it, with the caller's rights.
    fn orchestrator(&self) -> Vec<Question> {
        let Some(cluster) = self.body.pointer("/Orchestrator/Eks/ClusterArn").and_then(Value::as_str) else {
            return Vec::new();
        };
        let entries = format!("{}/*", cluster.replacen(":cluster/", ":access-entry/", 1));
        vec![
            question("eks:DescribeCluster", cluster),
            question("eks:CreateAccessEntry", cluster),
            question("eks:DescribeAccessEntry", entries.as_str()),
            question("eks:AssociateAccessPolicy", entries.as_str()),
            question("eks:DeleteAccessEntry", entries),
        ]
    }
}
