//! The sandbox against those who did not write it: the AWS CLI, helm, kubectl, and botocore's models of every answer.

mod equal;
mod guide;
mod operations;
mod world;
