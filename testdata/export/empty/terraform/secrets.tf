# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

# With the key that AWS manages for Secrets Manager: ECR cannot read secrets under another one.
# trivy:ignore:AVD-AWS-0098
resource "aws_secretsmanager_secret" "ghcr" {
  # checkov:skip=CKV_AWS_149:ECR reads no secret under a customer's key
  # checkov:skip=CKV2_AWS_57:upstreams have no rotation by AWS; raise the token's version
  name                    = "ecr-pullthroughcache/ghcr"
  description             = "login at ghcr.io for Amazon ECR's pull through cache"
  recovery_window_in_days = var.ghcr_recovery_window_days
  tags                    = local.tags
}

# Write-only: the token is in no plan and no state. A higher version writes it again.
resource "aws_secretsmanager_secret_version" "ghcr" {
  secret_id                = aws_secretsmanager_secret.ghcr.id
  secret_string_wo_version = var.ghcr_token_version
  secret_string_wo = jsonencode({
    username    = var.ghcr_username
    accessToken = var.ghcr_token
  })
}
