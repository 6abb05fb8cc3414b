# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

output "registry_id" {
  description = "Account of the registry."
  value       = local.account_id
}

output "ecr_registry_url" {
  description = "Host that images are pulled from."
  value       = local.registry
}

output "cgr_prefix" {
  description = "Prefix of cgr.dev at the registry; ROOT for none."
  value       = aws_ecr_pull_through_cache_rule.cgr.ecr_repository_prefix
}

output "docker_hub_prefix" {
  description = "Prefix of registry-1.docker.io at the registry; ROOT for none."
  value       = aws_ecr_pull_through_cache_rule.docker_hub.ecr_repository_prefix
}

output "ghcr_prefix" {
  description = "Prefix of ghcr.io at the registry; ROOT for none."
  value       = aws_ecr_pull_through_cache_rule.ghcr.ecr_repository_prefix
}

output "gitlab_prefix" {
  description = "Prefix of registry.gitlab.com at the registry; ROOT for none."
  value       = aws_ecr_pull_through_cache_rule.gitlab.ecr_repository_prefix
}

output "k8s_prefix" {
  description = "Prefix of registry.k8s.io at the registry; ROOT for none."
  value       = aws_ecr_pull_through_cache_rule.k8s.ecr_repository_prefix
}

output "shared_prefix" {
  description = "Prefix of 210987654321.dkr.ecr.eu-west-1.amazonaws.com at the registry; ROOT for none."
  value       = aws_ecr_pull_through_cache_rule.shared.ecr_repository_prefix
}

output "chainguard_credential_secret_arn" {
  description = "ARN of the secret ecr-pullthroughcache/chainguard."
  value       = "arn:aws:secretsmanager:${local.region}:${local.account_id}:secret:ecr-pullthroughcache/chainguard-AbCdEf"
}

output "dockerhub_credential_secret_arn" {
  description = "ARN of the secret ecr-pullthroughcache/dockerhub."
  value       = aws_secretsmanager_secret.dockerhub.arn
}

output "ghcr_credential_secret_arn" {
  description = "ARN of the secret ecr-pullthroughcache/ghcr."
  value       = aws_secretsmanager_secret.ghcr.arn
}

output "gitlab_credential_secret_arn" {
  description = "ARN of the secret ecr-pullthroughcache/gitlab."
  value       = aws_secretsmanager_secret.gitlab.arn
}

output "repository_urls" {
  description = "Where images are pushed to, by name of the repository."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "repository_arns" {
  description = "ARNs by name of the repository."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.arn }
}

output "kms_key_arn" {
  description = "ARN of the key of repositories."
  value       = aws_kms_key.ecr_own.arn
}

output "kms_key_arns" {
  description = "ARNs of keys, by alias."
  value = {
    ecr-own = aws_kms_key.ecr_own.arn
  }
}

output "github_actions_push_policy_arn" {
  description = "ARN of the policy for pipelines."
  value       = aws_iam_policy.cache_ci_push.arn
}

output "eks_node_pull_policy_arn" {
  description = "ARN of the policy for nodes."
  value       = aws_iam_policy.cache_node_pull.arn
}

output "policy_arns" {
  description = "ARNs of policies, by name."
  value = {
    cache-ci-push   = aws_iam_policy.cache_ci_push.arn
    cache-node-pull = aws_iam_policy.cache_node_pull.arn
    cache-provision = aws_iam_policy.cache_provision.arn
    cache-pull-only = aws_iam_policy.cache_pull_only.arn
    cache-scan      = aws_iam_policy.cache_scan.arn
  }
}

output "role_arns" {
  description = "ARNs of roles, by name."
  value = {
    github-push = aws_iam_role.github_push.arn
  }
}

output "docker_login_command" {
  description = "Logs Docker in at the registry, for 12 hours."
  value       = "aws ecr get-login-password --region ${local.region} | docker login --username AWS --password-stdin ${local.registry}"
}
