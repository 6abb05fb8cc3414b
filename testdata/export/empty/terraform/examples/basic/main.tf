# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

provider "aws" {
  region = "ca-central-1"
}

variable "ghcr_username" {
  description = "See ghcr_username of the module."
  type        = string
}

variable "ghcr_token" {
  description = "See ghcr_token of the module."
  type        = string
  sensitive   = true
  ephemeral   = true
}

module "ecr" {
  source = "../.."

  ghcr_username = var.ghcr_username
  ghcr_token    = var.ghcr_token
}

output "docker_login_command" {
  description = "Logs Docker in at the registry."
  value       = module.ecr.docker_login_command
}
