# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

# A registry has one scanning configuration.
# Terraform owns the whole: what others set there is overwritten, and gone when this is destroyed.
resource "aws_ecr_registry_scanning_configuration" "this" {
  scan_type = "ENHANCED"

  rule {
    scan_frequency = "CONTINUOUS_SCAN"

    repository_filter {
      filter      = "team/*"
      filter_type = "WILDCARD"
    }
  }

  rule {
    scan_frequency = "SCAN_ON_PUSH"

    repository_filter {
      filter      = "docker-hub/*"
      filter_type = "WILDCARD"
    }

    repository_filter {
      filter      = "ghcr/*"
      filter_type = "WILDCARD"
    }
  }
}

# A registry has one policy.
# Terraform owns the whole: what others set there is overwritten, and gone when this is destroyed.
resource "aws_ecr_registry_policy" "this" {
  policy = jsonencode({
    Statement = [
      {
        Action = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
        Condition = {
          StringEquals = {
            "aws:PrincipalOrgID" = "o-abcde12345"
          }
        }
        Effect    = "Allow"
        Principal = "*"
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
        Action = ["ecr:ReplicateImage"]
        Effect = "Allow"
        Principal = {
          AWS = "arn:aws:iam::210987654321:root"
        }
        Resource = "arn:aws:ecr:${local.region}:${local.account_id}:repository/*"
        Sid      = "Replicate"
      },
    ]
    Version = "2012-10-17"
  })
}

# A registry has one replication configuration.
# Terraform owns the whole: what others set there is overwritten, and gone when this is destroyed.
resource "aws_ecr_replication_configuration" "this" {
  replication_configuration {
    rule {
      destination {
        region      = "ca-central-1"
        registry_id = "210987654321"
      }

      destination {
        region      = "us-west-2"
        registry_id = local.account_id
      }

      repository_filter {
        filter      = "ghcr/my-org"
        filter_type = "PREFIX_MATCH"
      }
    }

    rule {
      destination {
        region      = "eu-west-1"
        registry_id = local.account_id
      }

      repository_filter {
        filter      = "team/app"
        filter_type = "PREFIX_MATCH"
      }

      repository_filter {
        filter      = "team/worker"
        filter_type = "PREFIX_MATCH"
      }
    }
  }
}
