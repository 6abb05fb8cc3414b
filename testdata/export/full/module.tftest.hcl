# Everything that a configuration can ask for, by what depends on what.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { region = "ca-central-1" }
  }
}

variables {
  ghcr_token      = "ghp_for_a_test"
  dockerhub_token = "for a test"
  gitlab_token    = "for a test"
}

run "applies" {
  assert {
    condition     = output.chainguard_credential_secret_arn == "arn:aws:secretsmanager:ca-central-1:123456789012:secret:ecr-pullthroughcache/chainguard-AbCdEf"
    error_message = "a secret that is there"
  }
  assert {
    condition     = aws_ecr_pull_through_cache_rule.docker_hub.credential_arn == aws_secretsmanager_secret.dockerhub.arn
    error_message = "a credential with a name of its own"
  }
  assert {
    condition     = aws_ecr_pull_through_cache_rule.shared.custom_role_arn == "arn:aws:iam::123456789012:role/ecr-to-ecr"
    error_message = "a role that is there"
  }
  assert {
    condition     = aws_ecr_repository_creation_template.this["ghcr/my-org"].custom_role_arn == "arn:aws:iam::123456789012:role/ecr-templates"
    error_message = "the role of templates"
  }
  assert {
    condition     = aws_ecr_repository.this["team/app"].encryption_configuration[0].kms_key == aws_kms_key.ecr_own.arn
    error_message = "a key that is made"
  }
  assert {
    condition     = aws_ecr_repository_creation_template.this["ghcr/my-org"].resource_tags == tomap({ team = "platform", cost-center = "4711", data = "internal" })
    error_message = "tags"
  }
  assert {
    condition     = toset(keys(output.repository_urls)) == toset(["sandbox", "team/app", "team/worker"]) && keys(output.repository_arns) == keys(output.repository_urls)
    error_message = "repositories"
  }
  assert {
    condition     = aws_ecr_repository.this["sandbox"].tags["team"] == "sandbox" && aws_ecr_repository.this["sandbox"].force_delete
    error_message = "a repository's own settings"
  }
  assert {
    condition     = toset([for one in aws_iam_role_policy_attachment.cache_node_pull : one.role]) == toset(["nodes-blue", "nodes-green"])
    error_message = "roles that get a policy"
  }
  assert {
    condition     = aws_iam_role_policy_attachment.cache_ci_push["github-push"].role == aws_iam_role.github_push.name
    error_message = "the role of workflows"
  }
  assert {
    condition     = length(aws_ecr_replication_configuration.this.replication_configuration[0].rule) == 2
    error_message = "replication"
  }
}

run "takes_tags_of_those_who_apply" {
  command = plan
  variables {
    tags = { team = "other", other = "tag" }
  }
  assert {
    condition     = aws_secretsmanager_secret.ghcr.tags == tomap({ team = "platform", owner = "apps", other = "tag" })
    error_message = "a resource's own tags win"
  }
}

run "refuses_a_waiting_period_that_kms_refuses" {
  command = plan
  variables {
    key_deletion_window_days = 31
  }
  expect_failures = [var.key_deletion_window_days]
}
