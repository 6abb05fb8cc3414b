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

resource "aws_ecr_pull_through_cache_rule" "ghcr" {
  ecr_repository_prefix = "ghcr"
  upstream_registry_url = "ghcr.io"
  credential_arn        = aws_secretsmanager_secret.ghcr.arn

  depends_on = [aws_secretsmanager_secret_version.ghcr]
}
