# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

output "registry_id" {
  description = "Account of the registry."
  value       = local.account_id
}

output "ecr_registry_url" {
  description = "Host that images are pulled from."
  value       = local.registry
}

output "ghcr_prefix" {
  description = "Prefix of ghcr.io at the registry; ROOT for none."
  value       = aws_ecr_pull_through_cache_rule.ghcr.ecr_repository_prefix
}

output "ghcr_credential_secret_arn" {
  description = "ARN of the secret ecr-pullthroughcache/ghcr."
  value       = aws_secretsmanager_secret.ghcr.arn
}

output "repository_urls" {
  description = "Where images are pushed to, by name of the repository."
  value       = {}
}

output "repository_arns" {
  description = "ARNs by name of the repository."
  value       = {}
}

output "docker_login_command" {
  description = "Logs Docker in at the registry, for 12 hours."
  value       = "aws ecr get-login-password --region ${local.region} | docker login --username AWS --password-stdin ${local.registry}"
}
