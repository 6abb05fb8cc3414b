# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

locals {
  account_id = var.account_id
  region     = var.region
  registry   = "${var.account_id}.dkr.ecr.${var.region}.amazonaws.com"
  tags       = merge(var.tags, { for name, value in { project = var.project, environment = var.environment } : name => value if value != "" })
}

# What is below names this account and Region: a provider of another one stops here.
data "aws_caller_identity" "current" {
  lifecycle {
    postcondition {
      condition     = self.account_id == local.account_id
      error_message = "The module is for account ${local.account_id}, and the provider's is ${self.account_id}."
    }
  }
}

data "aws_region" "current" {
  lifecycle {
    postcondition {
      condition     = self.region == local.region
      error_message = "The module is for Region ${local.region}, and the provider's is ${self.region}."
    }
  }
}

resource "aws_kms_key" "ecr_own" {
  description             = "layers of ECR repositories; made by pullthru"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_window_days
  policy = jsonencode({
    Statement = [
      {
        Action = "kms:*"
        Effect = "Allow"
        Principal = {
          AWS = "arn:aws:iam::${local.account_id}:root"
        }
        Resource = "*"
        Sid      = "PullthruAccount"
      },
    ]
    Version = "2012-10-17"
  })
  tags = merge(local.tags, {
    team = "platform"
  })
}

resource "aws_kms_alias" "ecr_own" {
  name          = "alias/ecr-own"
  target_key_id = aws_kms_key.ecr_own.key_id
}

resource "aws_iam_role" "github_push" {
  name        = "github-push"
  description = "workflows of GitHub push images by it; made by pullthru"
  assume_role_policy = jsonencode({
    Statement = [
      {
        Action = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          }
          StringLike = {
            "token.actions.githubusercontent.com:sub" = ["repo:my-org/app:ref:refs/heads/main", "repo:my-org/worker:ref:refs/heads/main"]
          }
        }
        Effect = "Allow"
        Principal = {
          Federated = "arn:aws:iam::${local.account_id}:oidc-provider/token.actions.githubusercontent.com"
        }
        Sid = "PullthruTrust"
      },
    ]
    Version = "2012-10-17"
  })
  tags = merge(local.tags, {
    team = "platform"
  })
}

resource "aws_iam_policy" "cache_ci_push" {
  name        = "cache-ci-push"
  description = "pushes to the team's repositories; made by pullthru"
  policy = jsonencode({
    Statement = [
      {
        Action   = ["ecr:GetAuthorizationToken"]
        Effect   = "Allow"
        Resource = ["*"]
        Sid      = "PullthruLogin"
      },
      {
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:CompleteLayerUpload",
          "ecr:DescribeImages",
          "ecr:GetDownloadUrlForLayer",
          "ecr:InitiateLayerUpload",
          "ecr:ListImages",
          "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Effect = "Allow"
        Resource = [
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/sandbox",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/team/app",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/team/worker",
        ]
        Sid = "PullthruPush"
      },
    ]
    Version = "2012-10-17"
  })
  tags = merge(local.tags, {
    team = "platform"
  })
}

resource "aws_iam_role_policy_attachment" "cache_ci_push" {
  for_each = {
    github-push = aws_iam_role.github_push.name
  }

  role       = each.value
  policy_arn = aws_iam_policy.cache_ci_push.arn
}

resource "aws_iam_policy" "cache_node_pull" {
  name        = "cache-node-pull"
  description = "nodes pull through the cache, the first time too; made by pullthru"
  policy = jsonencode({
    Statement = [
      {
        Action   = ["ecr:GetAuthorizationToken"]
        Effect   = "Allow"
        Resource = ["*"]
        Sid      = "PullthruLogin"
      },
      {
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:BatchImportUpstreamImage",
          "ecr:CreateRepository",
          "ecr:GetDownloadUrlForLayer",
          "ecr:TagResource",
        ]
        Effect = "Allow"
        Resource = [
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/cgr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/docker-hub/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/ghcr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/gitlab/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/k8s/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/shared/*",
        ]
        Sid = "PullthruImport"
      },
      {
        Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Effect = "Allow"
        Resource = [
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/sandbox",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/team/app",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/team/worker",
        ]
        Sid = "PullthruPull"
      },
    ]
    Version = "2012-10-17"
  })
  tags = merge(local.tags, {
    team = "platform"
  })
}

resource "aws_iam_role_policy_attachment" "cache_node_pull" {
  for_each = {
    nodes-blue  = "nodes-blue"
    nodes-green = "nodes-green"
  }

  role       = each.value
  policy_arn = aws_iam_policy.cache_node_pull.arn
}

# ECR takes a role only from who may pass it: these roles alone, and to ECR alone.
# trivy:ignore:AVD-AWS-0342
resource "aws_iam_policy" "cache_provision" {
  name        = "cache-provision"
  description = "sets up the cache; made by pullthru"
  policy = jsonencode({
    Statement = [
      {
        Action = [
          "ecr:CreatePullThroughCacheRule",
          "ecr:CreateRepositoryCreationTemplate",
          "ecr:DeletePullThroughCacheRule",
          "ecr:DeleteRegistryPolicy",
          "ecr:DeleteRepositoryCreationTemplate",
          "ecr:DescribePullThroughCacheRules",
          "ecr:DescribeRepositoryCreationTemplates",
          "ecr:GetAuthorizationToken",
          "ecr:GetRegistryPolicy",
          "ecr:GetRegistryScanningConfiguration",
          "ecr:PutRegistryPolicy",
          "ecr:PutRegistryScanningConfiguration",
          "ecr:UpdatePullThroughCacheRule",
          "ecr:UpdateRepositoryCreationTemplate",
          "ecr:ValidatePullThroughCacheRule",
        ]
        Condition = {
          StringEquals = {
            "aws:RequestedRegion" = [local.region]
          }
        }
        Effect   = "Allow"
        Resource = ["*"]
        Sid      = "PullthruRegistry"
      },
      {
        Action = [
          "inspector2:Disable",
          "inspector2:Enable",
          "inspector2:ListAccountPermissions",
          "inspector2:ListCoverage",
          "inspector2:ListFindings",
        ]
        Condition = {
          StringEquals = {
            "aws:RequestedRegion" = [local.region]
          }
        }
        Effect   = "Allow"
        Resource = ["*"]
        Sid      = "PullthruEnhancedScanning"
      },
      {
        Action = ["ecr:CreateRepository", "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy"]
        Effect = "Allow"
        Resource = [
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/cgr",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/cgr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/docker-hub",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/docker-hub/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/ghcr",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/ghcr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/ghcr/my-org",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/ghcr/my-org/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/gitlab",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/gitlab/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/k8s",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/k8s/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/shared",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/shared/*",
        ]
        Sid = "PullthruTemplates"
      },
      {
        Action   = ["ecr:DescribeRepositories"]
        Effect   = "Allow"
        Resource = ["arn:aws:ecr:${local.region}:${local.account_id}:repository/*"]
        Sid      = "PullthruListRepositories"
      },
      {
        Action = [
          "ecr:GetLifecyclePolicy",
          "ecr:GetLifecyclePolicyPreview",
          "ecr:ListTagsForResource",
          "ecr:StartLifecyclePolicyPreview",
        ]
        Effect = "Allow"
        Resource = [
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/cgr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/docker-hub/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/ghcr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/gitlab/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/k8s/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/shared/*",
        ]
        Sid = "PullthruBackfill"
      },
      {
        Action = ["ecr:TagResource"]
        Condition = {
          StringEquals = {
            "aws:RequestTag/pullthru/stack" = "shop"
          }
          StringEqualsIfExists = {
            "aws:ResourceTag/pullthru/stack" = "shop"
          }
        }
        Effect = "Allow"
        Resource = [
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/cgr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/docker-hub/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/ghcr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/gitlab/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/k8s/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/shared/*",
        ]
        Sid = "PullthruBackfillMark"
      },
      {
        Action = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        Effect = "Allow"
        Resource = [
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/chainguard-AbCdEf",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/dockerhub",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/dockerhub-??????",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/ghcr",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/ghcr-??????",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/gitlab",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/gitlab-??????",
        ]
        Sid = "PullthruReadSecrets"
      },
      {
        Action = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
        Condition = {
          StringEquals = {
            "aws:RequestTag/pullthru/stack" = "shop"
          }
          StringEqualsIfExists = {
            "aws:ResourceTag/pullthru/stack" = "shop"
          }
        }
        Effect = "Allow"
        Resource = [
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/dockerhub",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/dockerhub-??????",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/ghcr",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/ghcr-??????",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/gitlab",
          "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/gitlab-??????",
        ]
        Sid = "PullthruMakeSecrets"
      },
      {
        Action = [
          "secretsmanager:DeleteSecret",
          "secretsmanager:PutSecretValue",
          "secretsmanager:RestoreSecret",
        ]
        Condition = {
          StringEquals = {
            "aws:ResourceTag/pullthru/stack" = "shop"
          }
        }
        Effect   = "Allow"
        Resource = ["arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/*"]
        Sid      = "PullthruChangeSecrets"
      },
      {
        Action = ["iam:PassRole"]
        Condition = {
          StringEquals = {
            "iam:PassedToService" = ["ecr.amazonaws.com", "pullthroughcache.ecr.amazonaws.com"]
          }
        }
        Effect = "Allow"
        Resource = [
          "arn:aws:iam::${local.account_id}:role/ecr-templates",
          "arn:aws:iam::${local.account_id}:role/ecr-to-ecr",
        ]
        Sid = "PullthruPassRole"
      },
      {
        Action = ["iam:CreateServiceLinkedRole"]
        Condition = {
          StringEquals = {
            "iam:AWSServiceName" = ["ecr.amazonaws.com", "pullthroughcache.ecr.amazonaws.com", "inspector2.amazonaws.com"]
          }
        }
        Effect = "Allow"
        Resource = [
          "arn:aws:iam::${local.account_id}:role/aws-service-role/ecr.amazonaws.com/*",
          "arn:aws:iam::${local.account_id}:role/aws-service-role/pullthroughcache.ecr.amazonaws.com/*",
          "arn:aws:iam::${local.account_id}:role/aws-service-role/inspector2.amazonaws.com/*",
        ]
        Sid = "PullthruLinkedRole"
      },
    ]
    Version = "2012-10-17"
  })
  tags = merge(local.tags, {
    team = "platform"
  })
}

resource "aws_iam_policy" "cache_pull_only" {
  name        = "cache-pull-only"
  description = "pulls of what is in the registry; made by pullthru"
  policy = jsonencode({
    Statement = [
      {
        Action   = ["ecr:GetAuthorizationToken"]
        Effect   = "Allow"
        Resource = ["*"]
        Sid      = "PullthruLogin"
      },
      {
        Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Effect = "Allow"
        Resource = [
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/cgr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/docker-hub/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/ghcr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/gitlab/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/k8s/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/shared/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/sandbox",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/team/app",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/team/worker",
        ]
        Sid = "PullthruPull"
      },
    ]
    Version = "2012-10-17"
  })
  tags = merge(local.tags, {
    team = "platform"
  })
}

resource "aws_iam_policy" "cache_scan" {
  name        = "cache-scan"
  description = "controllers list tags and pull artifacts; made by pullthru"
  policy = jsonencode({
    Statement = [
      {
        Action   = ["ecr:GetAuthorizationToken"]
        Effect   = "Allow"
        Resource = ["*"]
        Sid      = "PullthruLogin"
      },
      {
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:BatchImportUpstreamImage",
          "ecr:CreateRepository",
          "ecr:DescribeImages",
          "ecr:GetDownloadUrlForLayer",
          "ecr:ListImages",
          "ecr:TagResource",
        ]
        Effect = "Allow"
        Resource = [
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/cgr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/docker-hub/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/ghcr/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/gitlab/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/k8s/*",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/shared/*",
        ]
        Sid = "PullthruImport"
      },
      {
        Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Effect = "Allow"
        Resource = [
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/sandbox",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/team/app",
          "arn:aws:ecr:${local.region}:${local.account_id}:repository/team/worker",
        ]
        Sid = "PullthruPull"
      },
    ]
    Version = "2012-10-17"
  })
  tags = merge(local.tags, {
    team = "platform"
  })
}

resource "aws_iam_role_policy_attachment" "cache_scan" {
  for_each = {
    source-controller = "source-controller"
  }

  role       = each.value
  policy_arn = aws_iam_policy.cache_scan.arn
}

# Settings of repositories that ECR makes, by prefix.
# kms_keys: the key that encrypts it, null for the one that AWS manages; none for AES-256.
locals {
  templates = {
    ROOT = {
      description           = "made by pullthru"
      applied_for           = ["CREATE_ON_PUSH"]
      image_tag_mutability  = "MUTABLE"
      mutability_exclusions = []
      custom_role_arn       = "arn:aws:iam::${local.account_id}:role/ecr-templates"
      kms_keys              = ["arn:aws:kms:${local.region}:${local.account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
      resource_tags         = null
      lifecycle_policy      = null
      repository_policy     = null
    }
    cgr = {
      description           = "made by pullthru"
      applied_for           = ["PULL_THROUGH_CACHE"]
      image_tag_mutability  = "MUTABLE"
      mutability_exclusions = []
      custom_role_arn       = null
      kms_keys              = []
      resource_tags         = null
      lifecycle_policy = jsonencode({
        rules = [
          {
            action = {
              type = "expire"
            }
            description  = "untagged images go after 7 days"
            rulePriority = 1
            selection = {
              countNumber = 7
              countType   = "sinceImagePushed"
              countUnit   = "days"
              tagStatus   = "untagged"
            }
          },
          {
            action = {
              type = "expire"
            }
            description  = "the newest 10 tagged images are kept"
            rulePriority = 2
            selection = {
              countNumber    = 10
              countType      = "imageCountMoreThan"
              tagPatternList = ["*"]
              tagStatus      = "tagged"
            }
          },
        ]
      })
      repository_policy = jsonencode({
        Statement = [
          {
            Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
            Effect = "Allow"
            Principal = {
              AWS = ["arn:aws:iam::210987654321:root"]
            }
            Sid = "PullthruPull"
          },
        ]
        Version = "2012-10-17"
      })
    }
    docker-hub = {
      description           = "made by pullthru"
      applied_for           = ["PULL_THROUGH_CACHE"]
      image_tag_mutability  = "MUTABLE"
      mutability_exclusions = []
      custom_role_arn       = null
      kms_keys              = []
      resource_tags         = null
      lifecycle_policy = jsonencode({
        rules = [
          {
            action = {
              type = "expire"
            }
            description  = "untagged images go after 7 days"
            rulePriority = 1
            selection = {
              countNumber = 7
              countType   = "sinceImagePushed"
              countUnit   = "days"
              tagStatus   = "untagged"
            }
          },
          {
            action = {
              type = "expire"
            }
            description  = "the newest 10 tagged images are kept"
            rulePriority = 2
            selection = {
              countNumber    = 10
              countType      = "imageCountMoreThan"
              tagPatternList = ["*"]
              tagStatus      = "tagged"
            }
          },
        ]
      })
      repository_policy = jsonencode({
        Statement = [
          {
            Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
            Effect = "Allow"
            Principal = {
              AWS = ["arn:aws:iam::210987654321:root"]
            }
            Sid = "PullthruPull"
          },
        ]
        Version = "2012-10-17"
      })
    }
    ghcr = {
      description           = "made by pullthru"
      applied_for           = ["PULL_THROUGH_CACHE"]
      image_tag_mutability  = "MUTABLE"
      mutability_exclusions = []
      custom_role_arn       = null
      kms_keys              = []
      resource_tags         = null
      lifecycle_policy = jsonencode({
        rules = [
          {
            action = {
              type = "expire"
            }
            description  = "untagged images go after 7 days"
            rulePriority = 1
            selection = {
              countNumber = 7
              countType   = "sinceImagePushed"
              countUnit   = "days"
              tagStatus   = "untagged"
            }
          },
          {
            action = {
              type = "expire"
            }
            description  = "the newest 10 tagged images are kept"
            rulePriority = 2
            selection = {
              countNumber    = 10
              countType      = "imageCountMoreThan"
              tagPatternList = ["*"]
              tagStatus      = "tagged"
            }
          },
        ]
      })
      repository_policy = jsonencode({
        Statement = [
          {
            Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
            Effect = "Allow"
            Principal = {
              AWS = ["arn:aws:iam::210987654321:root"]
            }
            Sid = "PullthruPull"
          },
        ]
        Version = "2012-10-17"
      })
    }
    "ghcr/my-org" = {
      description           = "images of my-org"
      applied_for           = ["PULL_THROUGH_CACHE", "REPLICATION"]
      image_tag_mutability  = "IMMUTABLE_WITH_EXCLUSION"
      mutability_exclusions = ["dev-*", "latest"]
      custom_role_arn       = "arn:aws:iam::${local.account_id}:role/ecr-templates"
      kms_keys              = [null]
      resource_tags = {
        cost-center = "4711"
        data        = "internal"
        team        = "platform"
      }
      lifecycle_policy  = null
      repository_policy = null
    }
    gitlab = {
      description           = "made by pullthru"
      applied_for           = ["PULL_THROUGH_CACHE"]
      image_tag_mutability  = "MUTABLE"
      mutability_exclusions = []
      custom_role_arn       = null
      kms_keys              = []
      resource_tags         = null
      lifecycle_policy = jsonencode({
        rules = [
          {
            action = {
              type = "expire"
            }
            description  = "untagged images go after 7 days"
            rulePriority = 1
            selection = {
              countNumber = 7
              countType   = "sinceImagePushed"
              countUnit   = "days"
              tagStatus   = "untagged"
            }
          },
          {
            action = {
              type = "expire"
            }
            description  = "the newest 10 tagged images are kept"
            rulePriority = 2
            selection = {
              countNumber    = 10
              countType      = "imageCountMoreThan"
              tagPatternList = ["*"]
              tagStatus      = "tagged"
            }
          },
        ]
      })
      repository_policy = jsonencode({
        Statement = [
          {
            Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
            Effect = "Allow"
            Principal = {
              AWS = ["arn:aws:iam::210987654321:root"]
            }
            Sid = "PullthruPull"
          },
        ]
        Version = "2012-10-17"
      })
    }
    k8s = {
      description           = "made by pullthru"
      applied_for           = ["PULL_THROUGH_CACHE"]
      image_tag_mutability  = "MUTABLE"
      mutability_exclusions = []
      custom_role_arn       = null
      kms_keys              = []
      resource_tags         = null
      lifecycle_policy = jsonencode({
        rules = [
          {
            action = {
              type = "expire"
            }
            description  = "untagged images go after 7 days"
            rulePriority = 1
            selection = {
              countNumber = 7
              countType   = "sinceImagePushed"
              countUnit   = "days"
              tagStatus   = "untagged"
            }
          },
          {
            action = {
              type = "expire"
            }
            description  = "the newest 10 tagged images are kept"
            rulePriority = 2
            selection = {
              countNumber    = 10
              countType      = "imageCountMoreThan"
              tagPatternList = ["*"]
              tagStatus      = "tagged"
            }
          },
        ]
      })
      repository_policy = jsonencode({
        Statement = [
          {
            Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
            Effect = "Allow"
            Principal = {
              AWS = ["arn:aws:iam::210987654321:root"]
            }
            Sid = "PullthruPull"
          },
        ]
        Version = "2012-10-17"
      })
    }
    shared = {
      description           = "made by pullthru"
      applied_for           = ["PULL_THROUGH_CACHE"]
      image_tag_mutability  = "MUTABLE"
      mutability_exclusions = []
      custom_role_arn       = null
      kms_keys              = []
      resource_tags         = null
      lifecycle_policy = jsonencode({
        rules = [
          {
            action = {
              type = "expire"
            }
            description  = "untagged images go after 7 days"
            rulePriority = 1
            selection = {
              countNumber = 7
              countType   = "sinceImagePushed"
              countUnit   = "days"
              tagStatus   = "untagged"
            }
          },
          {
            action = {
              type = "expire"
            }
            description  = "the newest 10 tagged images are kept"
            rulePriority = 2
            selection = {
              countNumber    = 10
              countType      = "imageCountMoreThan"
              tagPatternList = ["*"]
              tagStatus      = "tagged"
            }
          },
        ]
      })
      repository_policy = jsonencode({
        Statement = [
          {
            Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
            Effect = "Allow"
            Principal = {
              AWS = ["arn:aws:iam::210987654321:root"]
            }
            Sid = "PullthruPull"
          },
        ]
        Version = "2012-10-17"
      })
    }
  }
}

resource "aws_ecr_repository_creation_template" "this" {
  for_each = local.templates

  prefix               = each.key
  description          = each.value.description
  applied_for          = each.value.applied_for
  image_tag_mutability = each.value.image_tag_mutability
  custom_role_arn      = each.value.custom_role_arn
  lifecycle_policy     = each.value.lifecycle_policy
  repository_policy    = each.value.repository_policy
  resource_tags        = each.value.resource_tags

  dynamic "image_tag_mutability_exclusion_filter" {
    for_each = each.value.mutability_exclusions

    content {
      filter      = image_tag_mutability_exclusion_filter.value
      filter_type = "WILDCARD"
    }
  }

  dynamic "encryption_configuration" {
    for_each = each.value.kms_keys

    content {
      encryption_type = "KMS"
      kms_key         = encryption_configuration.value
    }
  }
}

resource "aws_ecr_pull_through_cache_rule" "cgr" {
  ecr_repository_prefix      = "cgr"
  upstream_registry_url      = "cgr.dev"
  upstream_repository_prefix = "my-org"
  credential_arn             = "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/chainguard-AbCdEf"

  depends_on = [aws_ecr_repository_creation_template.this]
}

resource "aws_ecr_pull_through_cache_rule" "docker_hub" {
  ecr_repository_prefix = "docker-hub"
  upstream_registry_url = "registry-1.docker.io"
  credential_arn        = aws_secretsmanager_secret.dockerhub.arn

  depends_on = [aws_secretsmanager_secret_version.dockerhub, aws_ecr_repository_creation_template.this]
}

resource "aws_ecr_pull_through_cache_rule" "ghcr" {
  ecr_repository_prefix = "ghcr"
  upstream_registry_url = "ghcr.io"
  credential_arn        = aws_secretsmanager_secret.ghcr.arn

  depends_on = [aws_secretsmanager_secret_version.ghcr, aws_ecr_repository_creation_template.this]
}

resource "aws_ecr_pull_through_cache_rule" "gitlab" {
  ecr_repository_prefix = "gitlab"
  upstream_registry_url = "registry.gitlab.com"
  credential_arn        = aws_secretsmanager_secret.gitlab.arn

  depends_on = [aws_secretsmanager_secret_version.gitlab, aws_ecr_repository_creation_template.this]
}

resource "aws_ecr_pull_through_cache_rule" "k8s" {
  ecr_repository_prefix = "k8s"
  upstream_registry_url = "registry.k8s.io"

  depends_on = [aws_ecr_repository_creation_template.this]
}

resource "aws_ecr_pull_through_cache_rule" "shared" {
  ecr_repository_prefix = "shared"
  upstream_registry_url = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"
  custom_role_arn       = "arn:aws:iam::${local.account_id}:role/ecr-to-ecr"

  depends_on = [aws_ecr_repository_creation_template.this]
}

# Repositories of one's own, by name.
# kms_keys: the key that encrypts it, null for the one that AWS manages; none for AES-256.
locals {
  repositories = {
    sandbox = {
      image_tag_mutability = "MUTABLE"
      force_delete         = true
      scan_on_push         = false
      kms_keys             = [null]
      tags = merge(local.tags, {
        team = "sandbox"
      })
    }
    "team/app" = {
      image_tag_mutability = "IMMUTABLE"
      force_delete         = false
      scan_on_push         = true
      kms_keys             = [aws_kms_key.ecr_own.arn]
      tags = merge(local.tags, {
        team = "platform"
      })
    }
    "team/worker" = {
      image_tag_mutability = "IMMUTABLE"
      force_delete         = false
      scan_on_push         = true
      kms_keys             = [aws_kms_key.ecr_own.arn]
      tags = merge(local.tags, {
        team = "platform"
      })
    }
  }
}

resource "aws_ecr_repository" "this" {
  for_each = local.repositories

  name                 = each.key
  image_tag_mutability = each.value.image_tag_mutability
  force_delete         = each.value.force_delete
  tags                 = each.value.tags

  dynamic "encryption_configuration" {
    for_each = each.value.kms_keys

    content {
      encryption_type = "KMS"
      kms_key         = encryption_configuration.value
    }
  }

  image_scanning_configuration {
    scan_on_push = each.value.scan_on_push
  }
}

locals {
  lifecycle_policies = {
    "team/app" = jsonencode({
      rules = [
        {
          action = {
            type = "expire"
          }
          description  = "the newest 20 of v* are kept"
          rulePriority = 1
          selection = {
            countNumber   = 20
            countType     = "imageCountMoreThan"
            tagPrefixList = ["v"]
            tagStatus     = "tagged"
          }
        },
        {
          action = {
            type = "expire"
          }
          description  = "the newest 20 of release-* are kept"
          rulePriority = 2
          selection = {
            countNumber   = 20
            countType     = "imageCountMoreThan"
            tagPrefixList = ["release-"]
            tagStatus     = "tagged"
          }
        },
      ]
    })
    "team/worker" = jsonencode({
      rules = [
        {
          action = {
            type = "expire"
          }
          description  = "the newest 20 of v* are kept"
          rulePriority = 1
          selection = {
            countNumber   = 20
            countType     = "imageCountMoreThan"
            tagPrefixList = ["v"]
            tagStatus     = "tagged"
          }
        },
        {
          action = {
            type = "expire"
          }
          description  = "the newest 20 of release-* are kept"
          rulePriority = 2
          selection = {
            countNumber   = 20
            countType     = "imageCountMoreThan"
            tagPrefixList = ["release-"]
            tagStatus     = "tagged"
          }
        },
      ]
    })
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = local.lifecycle_policies

  repository = aws_ecr_repository.this[each.key].name
  policy     = each.value
}

locals {
  repository_policies = {
    "team/app" = jsonencode({
      Statement = [
        {
          Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Condition = {
            StringEquals = {
              "aws:PrincipalOrgID" = "o-abcde12345"
            }
          }
          Effect    = "Allow"
          Principal = "*"
          Sid       = "PullthruPull"
        },
      ]
      Version = "2012-10-17"
    })
    "team/worker" = jsonencode({
      Statement = [
        {
          Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Condition = {
            StringEquals = {
              "aws:PrincipalOrgID" = "o-abcde12345"
            }
          }
          Effect    = "Allow"
          Principal = "*"
          Sid       = "PullthruPull"
        },
      ]
      Version = "2012-10-17"
    })
  }
}

# An organization is a condition on every principal: scanners see the principal alone.
# trivy:ignore:AVD-AWS-0032
resource "aws_ecr_repository_policy" "this" {
  for_each = local.repository_policies

  repository = aws_ecr_repository.this[each.key].name
  policy     = each.value
}
