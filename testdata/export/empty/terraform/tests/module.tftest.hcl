# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = {
      account_id = "123456789012"
    }
  }

  mock_data "aws_region" {
    defaults = {
      region = "ca-central-1"
    }
  }
}

variables {
  ghcr_username = "for a test"
  ghcr_token    = "for a test"
}

run "plans" {
  command = plan

  assert {
    condition     = output.ecr_registry_url == "123456789012.dkr.ecr.ca-central-1.amazonaws.com"
    error_message = "ecr_registry_url is not 123456789012.dkr.ecr.ca-central-1.amazonaws.com"
  }

  assert {
    condition     = output.registry_id == "123456789012"
    error_message = "registry_id is not 123456789012"
  }

  assert {
    condition     = output.ghcr_prefix == "ghcr"
    error_message = "ghcr_prefix is not ghcr"
  }
}

run "refuses_another_account" {
  command = plan

  override_data {
    target = data.aws_caller_identity.current
    values = {
      account_id = "000000000000"
    }
  }

  expect_failures = [data.aws_caller_identity.current]
}

run "takes_another_account_and_region" {
  command = plan

  variables {
    account_id = "000000000000"
    region     = "eu-west-1"
  }

  override_data {
    target = data.aws_caller_identity.current
    values = {
      account_id = "000000000000"
    }
  }

  override_data {
    target = data.aws_region.current
    values = {
      region = "eu-west-1"
    }
  }

  assert {
    condition     = output.ecr_registry_url == "000000000000.dkr.ecr.eu-west-1.amazonaws.com"
    error_message = "ecr_registry_url is not 000000000000.dkr.ecr.eu-west-1.amazonaws.com"
  }
}

run "refuses_what_is_no_account" {
  command = plan

  variables {
    account_id = "12"
  }

  expect_failures = [var.account_id]
}

run "refuses_a_fine_grained_ghcr_token" {
  command = plan

  variables {
    ghcr_token = "github_pat_for_a_test"
  }

  expect_failures = [var.ghcr_token]
}
