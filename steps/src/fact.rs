//! What a step brings to other steps, or needs from them, told before the run: the runner holds them against each other.
//! Knows nothing of which step type says what.

use crate::finding::At;
use crate::partial::{Place, Text};
use crate::value::Value;

/// Something that one step says of itself and another may depend on.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// Objects that it puts into S3.
    Puts {
        /// `s3://bucket/prefix`, without a slash at the end.
        folder: Text,
        /// Paths below it; none where they are not known.
        names: Option<Vec<String>>,
        /// Where the inputs say so.
        place: Place,
    },
    /// A folder whose files it copies to where others than this user may read them.
    Publishes {
        /// As the inputs spell it.
        from: Text,
        /// Where the inputs say so.
        place: Place,
    },
    /// An object that must be in S3 when the step runs.
    NeedsObject {
        /// `s3://bucket/prefix`, as the step spells it.
        folder: Text,
        /// The path below it.
        name: Text,
        /// Where the folder is spelled.
        at: At,
    },
    /// Something that it makes, and takes from nobody who made it before.
    Creates {
        /// What it is: a stack, a cluster.
        what: &'static str,
        /// Its name.
        name: Text,
        /// Where the inputs say so.
        at: At,
    },
    /// A stack that it makes, with what will be in it.
    Makes {
        /// Name of the stack.
        stack: Text,
        /// Keys of the outputs that it will have.
        outputs: Vec<String>,
        /// What it will hold, as far as its name is known.
        named: Vec<Made>,
        /// Where the template is named.
        place: Place,
    },
    /// Outputs that a stack must have when the step runs.
    NeedsOutputs {
        /// Name of the stack.
        stack: Text,
        /// What is looked for: what for, and the keys of which one must be there.
        keys: Vec<(String, Vec<String>)>,
        /// What the step hands on where the stack has none of these keys, by output.
        otherwise: Vec<(String, Vec<String>, Value)>,
        /// Where the inputs say so.
        place: Place,
    },
    /// A file that it writes.
    Writes {
        /// As the inputs spell it; unknown where hprun chooses it.
        path: Text,
        /// The output that holds the full path.
        output: &'static str,
        /// What it is for.
        kind: FileUse,
        /// Where the inputs say so.
        place: Place,
    },
    /// A file that it reads when it runs.
    Reads {
        /// As the inputs spell it, or the output that holds it.
        path: Text,
        /// What it is for.
        kind: FileUse,
        /// Where the inputs say so.
        place: Place,
    },
    /// An id or ARN that belongs to a region or an account.
    Names {
        /// The id or ARN.
        id: Text,
        /// Where it stands.
        at: At,
        /// How firmly it belongs to the pipeline's own.
        tie: Tie,
    },
    /// Networks that must go together: subnets and security groups of one set of nodes.
    Together {
        /// Ids of subnets and security groups, each with its place.
        ids: Vec<(Text, At)>,
    },
    /// A role that must be able to read from S3.
    RoleReads {
        /// ARN of the role.
        role: Text,
        /// `s3://bucket/prefix`.
        folder: Text,
        /// Where the folder is spelled.
        at: At,
    },
}

/// A thing with a name that a stack makes. Things of different kinds may have the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// A bucket, of this name.
    Bucket(String),
    /// A role.
    Role {
        /// With a slash at both ends; none where it is not known.
        path: Option<String>,
        /// Its name.
        name: String,
    },
    /// An EKS cluster, of this name.
    EksCluster(String),
}

/// How firmly an id or ARN is tied to the region and the account of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// The service takes no other.
    Firm,
    /// A template may mean another on purpose: CloudFront's certificates are of us-east-1, principals and repositories of
    /// other accounts.
    Loose,
}

/// What a file that steps share is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileUse {
    /// How to reach a Kubernetes API.
    Kubeconfig,
    /// To be looked at only: what is made of it is another step's.
    Look,
    /// For this user only: a secret stands in it.
    Secret,
    /// A CreateCluster request, held against all that is known of one.
    Request,
    /// Anything else.
    Plain,
}
