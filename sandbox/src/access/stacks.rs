//! What CloudFormation asks of the caller's policy for one resource of a stack, when the stack has no role of its own.
//! From the permissions of AWS's resource handlers, as far as the sandbox makes, changes or deletes a thing. Must not look at
//! what hprun declares.

use serde_json::{Map, Value};

mod ec2;

use super::{arn, eks, linked_role, pass_role, question, s3};
use crate::iam::Question;
use crate::world::{Moment, State};

/// What happens to the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is deleted.
    Delete,
}

/// A resource about to be made, changed or deleted.
pub(crate) struct Subject<'a> {
    pub state: &'a State,
    pub cx: &'a Moment<'a>,
    /// The resource type.
    pub kind: &'a str,
    /// Its resolved properties, with the name that CloudFormation made up.
    pub properties: &'a Map<String, Value>,
    /// The properties that an update changes.
    pub changed: &'a [String],
    /// The physical id, once there is one.
    pub id: Option<&'a str>,
    /// Whether it gets tags, its own or the stack's.
    pub tagged: bool,
    /// Whether its properties name zones by `Fn::GetAZs`.
    pub zones: bool,
}

/// All that is asked for this change.
pub(super) fn questions(subject: &Subject<'_>, change: Change) -> Vec<Question> {
    let mut asking = Asking { subject, change, questions: Vec::new() };
    if subject.zones && change != Change::Delete {
        for action in ["DescribeAvailabilityZones", "DescribeAccountAttributes", "DescribeSubnets"] {
            asking.look(action);
        }
    }
    let service = subject.kind.split("::").nth(1).unwrap_or_default();
    match service {
        "EC2" => asking.ec2(),
        "IAM" => asking.iam(),
        "EKS" => asking.eks(),
        "S3" => asking.s3(),
        "Logs" => asking.logs(),
        "CloudFormation" => asking.stack(),
        _ => {}
    }
    asking.questions
}

struct Asking<'a> {
    subject: &'a Subject<'a>,
    change: Change,
    questions: Vec<Question>,
}

impl Asking<'_> {
    fn ask(&mut self, action: &str, resource: impl Into<String>) {
        self.questions.push(question(action, resource));
    }

    /// A `Describe…` of EC2, which has no resource.
    fn look(&mut self, action: &str) {
        self.ask(&format!("ec2:{action}"), "*");
    }

    fn text(&self, name: &str) -> Option<String> {
        self.subject.properties.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    fn has(&self, name: &str) -> bool {
        self.subject.properties.contains_key(name)
    }

    /// Whether a property is set at creation or changed by an update.
    fn sets(&self, name: &str) -> bool {
        match self.change {
            Change::Create => self.has(name),
            Change::Update => self.subject.changed.iter().any(|changed| changed == name),
            Change::Delete => false,
        }
    }

    fn iam(&mut self) {
        match self.subject.kind {
            "AWS::IAM::Role" => self.role(),
            "AWS::IAM::Policy" => {
                let roles = self.subject.properties.get("Roles").and_then(Value::as_array).cloned().unwrap_or_default();
                for role in roles.iter().filter_map(Value::as_str) {
                    let role = crate::iam::arn_of_role(self.subject.state, role, self.subject.cx.account);
                    let action =
                        if self.change == Change::Delete { "iam:DeleteRolePolicy" } else { "iam:PutRolePolicy" };
                    self.ask(action, role);
                }
            }
            "AWS::IAM::ManagedPolicy" => {
                let name = self.text("ManagedPolicyName").unwrap_or_default();
                let path = self.text("Path").unwrap_or_else(|| "/".to_owned());
                let policy = format!("arn:aws:iam::{}:policy{path}{name}", self.subject.cx.account);
                let action = match self.change {
                    Change::Create => "iam:CreatePolicy",
                    Change::Update => "iam:CreatePolicyVersion",
                    Change::Delete => "iam:DeletePolicy",
                };
                self.ask(action, policy);
            }
            _ => {}
        }
    }

    fn role(&mut self) {
        let name = self.text("RoleName").unwrap_or_default();
        let path = self.text("Path").unwrap_or_else(|| "/".to_owned());
        let role = format!("arn:aws:iam::{}:role{path}{name}", self.subject.cx.account);
        let (policies, attached) = (self.has("Policies"), self.has("ManagedPolicyArns"));
        let mut actions = vec!["iam:GetRole"];
        match self.change {
            Change::Create => {
                actions.push("iam:CreateRole");
                actions.extend(policies.then_some("iam:PutRolePolicy"));
                actions.extend(attached.then_some("iam:AttachRolePolicy"));
                actions.extend(self.subject.tagged.then_some("iam:TagRole"));
            }
            Change::Update => {
                actions.extend(self.sets("AssumeRolePolicyDocument").then_some("iam:UpdateAssumeRolePolicy"));
                actions.extend(self.sets("Description").then_some("iam:UpdateRole"));
                actions.extend(self.sets("MaxSessionDuration").then_some("iam:UpdateRole"));
                if self.sets("Policies") {
                    actions.extend(["iam:PutRolePolicy", "iam:DeleteRolePolicy"]);
                }
                if self.sets("ManagedPolicyArns") {
                    actions.extend(["iam:AttachRolePolicy", "iam:DetachRolePolicy"]);
                }
                if self.sets("Tags") {
                    actions.extend(["iam:TagRole", "iam:UntagRole"]);
                }
            }
            Change::Delete => {
                actions.extend(["iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:DeleteRole"]);
                actions.extend(policies.then_some("iam:DeleteRolePolicy"));
                actions.extend(attached.then_some("iam:DetachRolePolicy"));
            }
        }
        for action in actions {
            self.ask(action, role.as_str());
        }
    }

    fn eks(&mut self) {
        let cx = self.subject.cx;
        let name = self.text("ClusterName").or_else(|| self.text("Name")).unwrap_or_default();
        let cluster = eks::cluster(cx, &name);
        match self.subject.kind {
            "AWS::EKS::Cluster" => self.cluster(&cluster),
            "AWS::EKS::Addon" => {
                let addon = eks::addon(cx, &name, &self.text("AddonName").unwrap_or_default());
                let role = self.text("ServiceAccountRoleArn").map(|role| (role, "eks.amazonaws.com"));
                self.part("Addon", &cluster, &addon, role);
            }
            "AWS::EKS::AccessEntry" => {
                let entry = eks::entry(cx, &name, &self.text("PrincipalArn").unwrap_or_default());
                self.part("AccessEntry", &cluster, &entry, None);
                if self.sets("AccessPolicies") {
                    self.ask("eks:AssociateAccessPolicy", entry);
                }
            }
            "AWS::EKS::PodIdentityAssociation" => {
                let association = eks::identity(cx, &name, self.subject.id.unwrap_or("*"));
                let role = self.text("RoleArn").map(|role| (role, "pods.eks.amazonaws.com"));
                self.part("PodIdentityAssociation", &cluster, &association, role);
            }
            _ => {}
        }
    }

    fn cluster(&mut self, cluster: &str) {
        self.ask("eks:DescribeCluster", cluster);
        match self.change {
            Change::Create => {
                self.ask("eks:CreateCluster", cluster);
                if self.subject.tagged {
                    self.ask("eks:TagResource", cluster);
                }
                self.ask("eks:CreateAccessEntry", cluster);
                self.look("DescribeSubnets");
                self.look("DescribeVpcs");
                if let Some(role) = self.text("RoleArn") {
                    self.ask("iam:GetRole", role.as_str());
                    self.ask("iam:ListAttachedRolePolicies", role.as_str());
                    self.questions.push(pass_role(&role, "eks.amazonaws.com"));
                }
                self.questions.extend(linked_role(self.subject.state, self.subject.cx, "eks.amazonaws.com"));
            }
            Change::Update => {
                self.ask("eks:DescribeUpdate", cluster);
                let version = self.sets("Version");
                let action = if version { "eks:UpdateClusterVersion" } else { "eks:UpdateClusterConfig" };
                self.ask(action, cluster);
            }
            Change::Delete => self.ask("eks:DeleteCluster", cluster),
        }
    }

    /// Something in a cluster: made on the cluster, everything else on itself.
    fn part(&mut self, name: &str, cluster: &str, own: &str, role: Option<(String, &str)>) {
        self.ask(&format!("eks:Describe{name}"), own);
        match self.change {
            Change::Create => {
                self.ask(&format!("eks:Create{name}"), cluster);
                if self.subject.tagged {
                    self.ask("eks:TagResource", own);
                }
            }
            Change::Update => self.ask(&format!("eks:Update{name}"), own),
            Change::Delete => self.ask(&format!("eks:Delete{name}"), own),
        }
        if let Some((role, service)) = role.filter(|_| self.change != Change::Delete) {
            self.ask("iam:GetRole", role.as_str());
            self.questions.push(pass_role(&role, service));
        }
    }

    fn s3(&mut self) {
        let name = self.text("BucketName").or_else(|| self.text("Bucket")).unwrap_or_default();
        let bucket = format!("arn:aws:s3:::{name}");
        if self.subject.kind == "AWS::S3::BucketPolicy" {
            self.ask("s3:GetBucketPolicy", bucket.as_str());
            let action = if self.change == Change::Delete { "s3:DeleteBucketPolicy" } else { "s3:PutBucketPolicy" };
            self.ask(action, bucket);
            return;
        }
        const SETTINGS: [(&str, &str); 5] = [
            ("BucketEncryption", "s3:PutEncryptionConfiguration"),
            ("OwnershipControls", "s3:PutBucketOwnershipControls"),
            ("PublicAccessBlockConfiguration", "s3:PutBucketPublicAccessBlock"),
            ("VersioningConfiguration", "s3:PutBucketVersioning"),
            ("LifecycleConfiguration", "s3:PutLifecycleConfiguration"),
        ];
        match self.change {
            Change::Create => self.ask("s3:CreateBucket", bucket.as_str()),
            Change::Update => self.ask("s3:ListBucket", bucket.as_str()),
            Change::Delete => self.ask("s3:DeleteBucket", bucket.as_str()),
        }
        for (property, action) in SETTINGS {
            if self.sets(property) {
                self.ask(action, bucket.as_str());
            }
        }
        if self.sets("Tags") || (self.change == Change::Create && self.subject.tagged) {
            self.ask("s3:PutBucketTagging", bucket);
        }
    }

    fn logs(&mut self) {
        let name = self.text("LogGroupName").unwrap_or_default();
        let group = arn(self.subject.cx, "logs", &format!("log-group:{name}:log-stream:"));
        self.ask("logs:DescribeLogGroups", arn(self.subject.cx, "logs", "log-group:*"));
        match self.change {
            Change::Create => {
                self.ask("logs:CreateLogGroup", group.as_str());
                if self.subject.tagged {
                    self.ask("logs:TagResource", group.as_str());
                }
            }
            Change::Update => {}
            Change::Delete => self.ask("logs:DeleteLogGroup", group.as_str()),
        }
        if self.sets("RetentionInDays") {
            self.ask("logs:PutRetentionPolicy", group);
        }
    }

    fn stack(&mut self) {
        if self.subject.kind != "AWS::CloudFormation::Stack" {
            return;
        }
        let stack = match self.subject.id {
            Some(id) => id.to_owned(),
            None => arn(self.subject.cx, "cloudformation", "stack/*"),
        };
        self.ask("cloudformation:DescribeStacks", stack.as_str());
        let verb = match self.change {
            Change::Create => "Create",
            Change::Update => "Update",
            Change::Delete => "Delete",
        };
        self.ask(&format!("cloudformation:{verb}Stack"), stack);
        if let Some(url) = self.text("TemplateURL").filter(|_| self.change != Change::Delete) {
            self.ask("s3:GetObject", s3::arn_of_url(&url));
        }
    }
}
