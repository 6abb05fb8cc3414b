# Names and texts come out as they went in.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { region = "ca-central-1" }
  }
}

variables {
  ghcr_io_cache_token = "ghp_for_a_test"
  root_token          = "for a test"
  root_username       = "me"
}

run "applies" {
  assert {
    condition     = toset([output.ghcr_io_cache_prefix, output._3rd_prefix, output.root_prefix]) == toset(["ghcr-io/cache", "3rd", "ROOT"])
    error_message = "prefixes"
  }
  assert {
    condition     = sha256(aws_ecr_repository_creation_template.this["ghcr.io/cache"].description) == sha256(join("", ["says \"$", "{hello}\", $$", "{twice}, %", "{ and back", "\\", "slash\tand tab"]))
    error_message = aws_ecr_repository_creation_template.this["ghcr.io/cache"].description
  }
  assert {
    condition     = jsondecode(aws_ecr_repository_creation_template.this["ghcr.io/cache"].lifecycle_policy).rules[0].description == join("", ["keep the \"new\" ones of $", "{n}"])
    error_message = aws_ecr_repository_creation_template.this["ghcr.io/cache"].lifecycle_policy
  }
  assert {
    condition     = var.ghcr_io_cache_username == join("", ["bot $", "{x} %", "{y}"])
    error_message = "user"
  }
  assert {
    condition     = aws_secretsmanager_secret.ghcr_io_cache.tags["1st"] == "a:b/c" && aws_secretsmanager_secret.root.tags["for"] == "a key of its own"
    error_message = "tags"
  }
  assert {
    condition     = toset(keys(output.repository_urls)) == toset(["a/b", "a-b", "a.b"])
    error_message = "repositories whose names come to one identifier"
  }
}
