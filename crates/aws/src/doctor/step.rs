//! [`Step`]: one question about a pull, answered; and [`StepId`], all of them with what each asks AWS.

use crate::account::{AwsFailure, FailureKind};

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// A pull works, and something about it should be known.
    Warning,
    /// This keeps a pull from working.
    Failed,
    /// It could not be looked at.
    NotChecked {
        /// The action that the caller is not allowed.
        permission: Option<&'static str>,
        /// AWS or a registry gave no answer, or took no credentials.
        unreachable: bool,
    },
}

impl Outcome {
    /// Stable.
    pub fn id(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Warning => "warning",
            Outcome::Failed => "failed",
            Outcome::NotChecked { .. } => "not-checked",
        }
    }
}

/// One question, answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub id: StepId,
    /// What of several it is about: a rule's prefix, a role; empty where there is one only.
    pub about: String,
    pub outcome: Outcome,
    /// What is so, or why it could not be looked at; a sentence without a full stop.
    pub detail: String,
    /// What to do, the first thing first.
    pub help: Vec<String>,
}

impl Step {
    /// The same step, about one of several.
    #[must_use]
    pub fn about(mut self, about: &str) -> Step {
        about.clone_into(&mut self.about);
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Step {
        self.help.push(help.into());
        self
    }

    pub fn is_failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }
}

/// What is known of every step.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Stable, as `docs/doctor.md` lists it.
    pub id: &'static str,
    pub title: &'static str,
    /// The question.
    pub asks: &'static str,
    /// Actions that have to be allowed to who runs it.
    pub permissions: &'static [&'static str],
    /// Where the behaviour is written down.
    pub source: Option<&'static str>,
}

macro_rules! steps {
    ($($name:ident $id:literal $title:literal $asks:literal [$($permission:literal)*] $source:expr;)*) => {
        /// Steps, in the order in which a pull meets what they are about: the first that fails is the reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum StepId { $($name),* }

        impl StepId {
            pub const ALL: &[StepId] = &[$(StepId::$name),*];

            pub fn about(self) -> About {
                match self {
                    $(StepId::$name => About {
                        id: $id, title: $title, asks: $asks, permissions: &[$($permission),*], source: $source,
                    }),*
                }
            }
        }
    };
}

/// A page of the Amazon ECR user guide.
macro_rules! page {
    ($page:literal) => {
        Some(concat!("https://docs.aws.amazon.com/AmazonECR/latest/userguide/", $page))
    };
}

/// A thread of aws/containers-roadmap.
macro_rules! thread {
    ($number:literal) => {
        Some(concat!("https://github.com/aws/containers-roadmap/issues/", $number))
    };
}

steps! {
    Credentials "credentials" "AWS credentials"
        "Who calls AWS?" ["sts:GetCallerIdentity"] None;
    Account "account" "Account"
        "Is that the registry's account?" [] None;
    Region "region" "Region"
        "Does the Region have pull through cache?" [] page!("pull-through-cache.html");
    Rule "rule" "Rule"
        "Is there a rule for the prefix, and does it lead to the right upstream and upstream prefix?"
        ["ecr:DescribePullThroughCacheRules"] page!("pull-through-cache-creating-rule.html");
    RuleOverlap "rule-overlap" "One rule answers"
        "Does a prefix lie below another one, or beside a rule for `ROOT`?"
        ["ecr:DescribePullThroughCacheRules"] page!("pull-through-cache-private-wildcards.html");
    Path "path" "Path"
        "Is Docker Hub's `library/` where it belongs, and the name one that ECR takes?" [] thread!("2354");
    Secret "secret" "Secret"
        "Has the rule a secret that exists, in its own account and Region, with a name that ECR may read?"
        ["secretsmanager:DescribeSecret"] page!("pull-through-cache-creating-secret.html");
    SecretKey "secret-key" "Key of the secret"
        "Is the secret encrypted with the key that AWS manages?"
        ["secretsmanager:DescribeSecret"] page!("pull-through-cache-creating-secret.html");
    SecretValue "secret-value" "Value of the secret"
        "Does it hold `username` and `accessToken`?"
        ["secretsmanager:GetSecretValue"] page!("pull-through-cache-creating-secret.html");
    TokenKind "token-kind" "Kind of token"
        "Is the token of a kind that the upstream takes?" ["secretsmanager:GetSecretValue"]
        Some("https://docs.github.com/packages/working-with-a-github-packages-registry/working-with-the-container-registry");
    UpstreamLogin "upstream-login" "Login at the upstream"
        "Does the upstream itself take user and token, for an image in use?"
        ["secretsmanager:GetSecretValue"] None;
    TokenScopes "token-scopes" "Scopes of the token"
        "May the token read packages? GitHub and GitLab tell" ["secretsmanager:GetSecretValue"]
        Some("https://docs.github.com/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps");
    TokenEnd "token-end" "End of the token"
        "When does the token end? GitHub and GitLab tell" ["secretsmanager:GetSecretValue"] None;
    UpstreamRole "upstream-role" "Role for the upstream"
        "For another account's ECR: does the rule's role exist, can ECR take it, and may it import?"
        ["iam:GetRole" "iam:SimulatePrincipalPolicy"] page!("pull-through-cache-private.html");
    Validation "validation" "Validation by ECR"
        "What does ECR say when it tries the rule?"
        ["ecr:ValidatePullThroughCacheRule"] page!("error-pullthroughcache.html");
    UpstreamImage "upstream-image" "Image at the upstream"
        "Is the upstream there, and does it have the image, asked with the secret's login where that is known?" [] None;
    Template "template" "Template"
        "By which creation template is a repository below the prefix made?"
        ["ecr:DescribeRepositoryCreationTemplates"] page!("repository-creation-templates.html");
    TemplateRole "template-role" "Role of the template"
        "Has a template with tags or KMS a role that exists, that ECR can take, and that can do its work?"
        ["iam:GetRole" "iam:SimulatePrincipalPolicy"] page!("repository-creation-templates.html");
    EncryptionKey "encryption-key" "Encryption key"
        "Which key encrypts the repository? Whether it can be used is not asked"
        [] page!("encryption-at-rest.html");
    RegistryPolicy "registry-policy" "Registry policy"
        "Does the registry's policy forbid a pull, or leave out another account's role?"
        ["ecr:GetRegistryPolicy"] page!("registry-permissions.html");
    CallerPermissions "caller-permissions" "What the caller may do"
        "May who runs this log in, pull, import and create the repository?"
        ["iam:SimulatePrincipalPolicy" "iam:GetRole"] page!("pull-through-cache-iam.html");
    NodePermissions "node-permissions" "What the node role may do"
        "May the role of `--node-role` do so?"
        ["iam:SimulatePrincipalPolicy" "iam:GetRole"] page!("pull-through-cache-iam.html");
    Repository "repository" "Repository"
        "Is the image's repository there?" ["ecr:DescribeRepositories"] None;
    RepositoryPolicy "repository-policy" "Repository policy"
        "Does the repository's policy forbid a pull, or leave out another account's role?"
        ["ecr:GetRepositoryPolicy"] page!("repository-policies.html");
    TagMutability "tag-mutability" "Tag mutability"
        "Can ECR refresh the tag when it moves upstream?"
        ["ecr:DescribeRepositories"] page!("pull-through-cache.html");
    Lifecycle "lifecycle" "Lifecycle policy"
        "Does the policy expire images in use, and is it the template's?"
        ["ecr:GetLifecyclePolicy"] page!("LifecyclePolicies.html");
    VpcEndpoints "vpc-endpoints" "VPC endpoints"
        "Has the VPC of `--vpc` endpoints for `ecr.api`, `ecr.dkr` and S3? The command that answers it"
        [] page!("vpc-endpoints.html");
    Egress "egress" "Way out for a first pull"
        "Will the first pull need a way to the internet?" [] page!("pull-through-cache.html");
    Cached "cached" "In the cache"
        "Does the cache have the image?" ["ecr:DescribeImages"] None;
    Digest "digest" "Pinned digest"
        "Can the pinned digest be pulled: cached, or led to by its tag?" ["ecr:DescribeImages"] thread!("2837");
    Fresh "fresh" "As the upstream has it"
        "Has the tag the same digest in the cache as upstream?" ["ecr:DescribeImages"] page!("pull-through-cache.html");
    Served "served" "Served by the registry"
        "Does the registry give out the cached image, asked by digest with these credentials?"
        ["ecr:GetAuthorizationToken" "ecr:BatchGetImage"] None;
    Pull "pull" "Pull through the cache"
        "With `--allow-import`: does a pull by tag succeed with these credentials?"
        ["ecr:GetAuthorizationToken" "ecr:BatchGetImage" "ecr:BatchImportUpstreamImage" "ecr:CreateRepository"]
        page!("error-pullthroughcache.html");
    Scanning "scanning" "Scanning"
        "Is what is cached scanned by Amazon Inspector?"
        ["ecr:GetRegistryScanningConfiguration"] page!("image-scanning-enhanced.html");
    Replication "replication" "Replication"
        "Is what is cached copied to other registries?" ["ecr:DescribeRegistry"] page!("replication.html");
    RuleQuota "rule-quota" "Rules left"
        "How many of the 50 rules of a registry are used?"
        ["ecr:DescribePullThroughCacheRules"] page!("service-quotas.html");
    RepositoryQuota "repository-quota" "Repositories left"
        "How many of the 100,000 repositories of a Region are used?"
        ["ecr:DescribeRepositories"] page!("service-quotas.html");
}

impl StepId {
    pub(super) fn passed(self, detail: impl Into<String>) -> Step {
        self.step(Outcome::Passed, detail)
    }

    pub(super) fn warning(self, detail: impl Into<String>) -> Step {
        self.step(Outcome::Warning, detail)
    }

    pub(super) fn failed(self, detail: impl Into<String>) -> Step {
        self.step(Outcome::Failed, detail)
    }

    /// It could not be looked at for another reason than AWS's.
    pub(super) fn not_checked(self, why: impl Into<String>) -> Step {
        self.step(Outcome::NotChecked { permission: None, unreachable: false }, why)
    }

    /// It could not be looked at because AWS said no.
    pub(super) fn unseen(self, failure: &AwsFailure) -> Step {
        let denied = failure.kind == FailureKind::Denied;
        let outcome = Outcome::NotChecked {
            permission: denied.then_some(failure.action),
            unreachable: matches!(failure.kind, FailureKind::Network | FailureKind::Credentials),
        };
        let why = if denied { format!("`{}` is not allowed", failure.action) } else { failure.to_string() };
        self.step(outcome, why).help(match failure.kind {
            FailureKind::Throttled => "run it again in a minute".to_owned(),
            FailureKind::Refused | FailureKind::Unreadable => {
                "look at what AWS says, and run it again".to_owned()
            }
            _ => failure.help(),
        })
    }

    fn step(self, outcome: Outcome, detail: impl Into<String>) -> Step {
        Step { id: self, about: String::new(), outcome, detail: detail.into(), help: Vec::new() }
    }
}
