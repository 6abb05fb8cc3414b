//! The way from a VPC to the registry. EC2 is not asked: it is another service, with rights of its own, and one command
//! answers the question.

use super::{Doctor, Step, StepId};

impl Doctor<'_> {
    /// The step of `--vpc`: the command that lists the VPC's endpoints, and what to look for in its answer (Amazon ECR user
    /// guide, "Amazon ECR interface VPC endpoints").
    pub(super) fn vpc(&self) -> Vec<Step> {
        let Some(vpc) = &self.question.vpc else { return Vec::new() };
        let region = &self.session.registry.region;
        let step = StepId::VpcEndpoints.not_checked(
            "EC2 is not asked. Nodes without a NAT gateway need endpoints for `ecr.api` and `ecr.dkr`, with private DNS, and one \
             for `s3`, all `available`; with the first two and without `s3`, no layer can be pulled, cached or not",
        );
        let command = format!(
            "`aws ec2 describe-vpc-endpoints --region {region} --filters Name=vpc-id,Values={vpc} --output table --query \
             'VpcEndpoints[].[ServiceName,VpcEndpointType,State,PrivateDnsEnabled]'`"
        );
        vec![step.about(vpc).help(command)]
    }
}
