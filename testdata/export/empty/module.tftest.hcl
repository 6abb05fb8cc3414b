# What the module says of itself, with a provider that answers for the account and Region.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { region = "ca-central-1" }
  }
}

variables {
  ghcr_username = "my-bot"
  ghcr_token    = "ghp_for_a_test"
}

run "applies" {
  assert {
    condition     = output.ecr_registry_url == "123456789012.dkr.ecr.ca-central-1.amazonaws.com"
    error_message = "registry"
  }
  assert {
    condition     = output.ghcr_prefix == "ghcr"
    error_message = "prefix"
  }
  assert {
    condition     = output.ghcr_credential_secret_arn == aws_secretsmanager_secret.ghcr.arn
    error_message = "secret"
  }
  assert {
    condition     = aws_ecr_pull_through_cache_rule.ghcr.credential_arn == aws_secretsmanager_secret.ghcr.arn
    error_message = "credential of the rule"
  }
  assert {
    condition     = startswith(output.docker_login_command, "aws ecr get-login-password --region ca-central-1 | docker login")
    error_message = "login"
  }
  assert {
    condition     = output.repository_urls == {} && output.repository_arns == {}
    error_message = "repositories"
  }
}

run "refuses_a_fine_grained_token" {
  command = plan
  variables {
    ghcr_token = "github_pat_for_a_test"
  }
  expect_failures = [var.ghcr_token]
}

run "refuses_no_token" {
  command = plan
  variables {
    ghcr_token = ""
  }
  expect_failures = [var.ghcr_token]
}

run "refuses_a_user_without_a_name" {
  command = plan
  variables {
    ghcr_username = " "
  }
  expect_failures = [var.ghcr_username]
}

run "refuses_a_recovery_window_that_aws_refuses" {
  command = plan
  variables {
    ghcr_recovery_window_days = 3
  }
  expect_failures = [var.ghcr_recovery_window_days]
}

run "takes_no_recovery_window" {
  command = plan
  variables {
    ghcr_recovery_window_days = 0
  }
}

run "refuses_a_tag_of_aws" {
  command = plan
  variables {
    tags = { "AWS:owner" = "me" }
  }
  expect_failures = [var.tags]
}

run "refuses_half_a_version" {
  command = plan
  variables {
    ghcr_token_version = 1.5
  }
  expect_failures = [var.ghcr_token_version]
}

run "refuses_another_account" {
  command = plan
  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "999999999999" }
  }
  expect_failures = [data.aws_caller_identity.current]
}

run "refuses_another_region" {
  command = plan
  override_data {
    target = data.aws_region.current
    values = { region = "us-east-1" }
  }
  expect_failures = [data.aws_region.current]
}
