# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

provider "aws" {
  region = "ca-central-1"
}

variable "dockerhub_token" {
  description = "See dockerhub_token of the module."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "ghcr_token" {
  description = "See ghcr_token of the module."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "gitlab_token" {
  description = "See gitlab_token of the module."
  type        = string
  sensitive   = true
  ephemeral   = true
}

module "ecr" {
  source = "../.."

  dockerhub_token = var.dockerhub_token
  ghcr_token      = var.ghcr_token
  gitlab_token    = var.gitlab_token
}

output "docker_login_command" {
  description = "Logs Docker in at the registry."
  value       = module.ecr.docker_login_command
}
