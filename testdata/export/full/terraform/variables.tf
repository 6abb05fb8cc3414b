# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

variable "account_id" {
  description = "Account of the registry. What is named by ARN has to be there under the same name."
  type        = string
  default     = "123456789012"

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account has 12 digits."
  }
}

variable "region" {
  description = "Region of the registry."
  type        = string
  default     = "ca-central-1"

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "A Region is one such as eu-central-1."
  }
}

variable "dockerhub_username" {
  description = "User of the login at docker.io. It is written with the token: raise dockerhub_token_version with it."
  type        = string
  default     = "my-org"

  validation {
    condition     = length(trimspace(var.dockerhub_username)) > 0
    error_message = "The user's name is empty."
  }
}

variable "dockerhub_token" {
  description = "Token of the login at docker.io: an access token that may read public repositories. Set it by TF_VAR_dockerhub_token."
  type        = string
  sensitive   = true
  ephemeral   = true
  nullable    = false

  validation {
    condition     = length(var.dockerhub_token) > 0
    error_message = "The token is empty."
  }
}

variable "dockerhub_token_version" {
  description = "Raise it by one to write another token for docker.io."
  type        = number
  default     = 1

  validation {
    condition     = var.dockerhub_token_version >= 1 && floor(var.dockerhub_token_version) == var.dockerhub_token_version
    error_message = "The version is a whole number from 1."
  }
}

variable "dockerhub_recovery_window_days" {
  description = "Days in which the deleted secret can be restored; 0 for none."
  type        = number
  default     = 0

  validation {
    condition     = var.dockerhub_recovery_window_days == 0 || (var.dockerhub_recovery_window_days >= 7 && var.dockerhub_recovery_window_days <= 30)
    error_message = "The period is 0, or 7 to 30 days."
  }
}

variable "ghcr_username" {
  description = "User of the login at ghcr.io. It is written with the token: raise ghcr_token_version with it."
  type        = string
  default     = "my-bot"

  validation {
    condition     = length(trimspace(var.ghcr_username)) > 0
    error_message = "The user's name is empty."
  }
}

variable "ghcr_token" {
  description = "Token of the login at ghcr.io: a personal access token (classic) with the scope read:packages. Set it by TF_VAR_ghcr_token."
  type        = string
  sensitive   = true
  ephemeral   = true
  nullable    = false

  validation {
    condition     = length(var.ghcr_token) > 0
    error_message = "The token is empty."
  }

  validation {
    condition     = !startswith(var.ghcr_token, "github_pat_")
    error_message = "GitHub's fine-grained tokens cannot read packages: make a classic one with the scope read:packages."
  }
}

variable "ghcr_token_version" {
  description = "Raise it by one to write another token for ghcr.io."
  type        = number
  default     = 1

  validation {
    condition     = var.ghcr_token_version >= 1 && floor(var.ghcr_token_version) == var.ghcr_token_version
    error_message = "The version is a whole number from 1."
  }
}

variable "ghcr_recovery_window_days" {
  description = "Days in which the deleted secret can be restored; 0 for none."
  type        = number
  default     = 7

  validation {
    condition     = var.ghcr_recovery_window_days == 0 || (var.ghcr_recovery_window_days >= 7 && var.ghcr_recovery_window_days <= 30)
    error_message = "The period is 0, or 7 to 30 days."
  }
}

variable "gitlab_username" {
  description = "User of the login at registry.gitlab.com. It is written with the token: raise gitlab_token_version with it."
  type        = string
  default     = "group-bot"

  validation {
    condition     = length(trimspace(var.gitlab_username)) > 0
    error_message = "The user's name is empty."
  }
}

variable "gitlab_token" {
  description = "Token of the login at registry.gitlab.com: a group access token of a guest with the scope read_registry. Set it by TF_VAR_gitlab_token."
  type        = string
  sensitive   = true
  ephemeral   = true
  nullable    = false

  validation {
    condition     = length(var.gitlab_token) > 0
    error_message = "The token is empty."
  }
}

variable "gitlab_token_version" {
  description = "Raise it by one to write another token for registry.gitlab.com."
  type        = number
  default     = 1

  validation {
    condition     = var.gitlab_token_version >= 1 && floor(var.gitlab_token_version) == var.gitlab_token_version
    error_message = "The version is a whole number from 1."
  }
}

variable "gitlab_recovery_window_days" {
  description = "Days in which the deleted secret can be restored; 0 for none."
  type        = number
  default     = 30

  validation {
    condition     = var.gitlab_recovery_window_days == 0 || (var.gitlab_recovery_window_days >= 7 && var.gitlab_recovery_window_days <= 30)
    error_message = "The period is 0, or 7 to 30 days."
  }
}

variable "key_deletion_window_days" {
  description = "Days in which a deleted key can be restored."
  type        = number
  default     = 30

  validation {
    condition     = var.key_deletion_window_days >= 7 && var.key_deletion_window_days <= 30
    error_message = "The period is 7 to 30 days."
  }
}

variable "project" {
  description = "Value of the tag project of everything that AWS can tag; none if it is empty."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9 _.:/=+@-]{0,256}$", var.project))
    error_message = "A tag has at most 256 letters, digits, spaces and _ . : / = + @ -."
  }
}

variable "environment" {
  description = "Value of the tag environment of everything that AWS can tag; none if it is empty."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9 _.:/=+@-]{0,256}$", var.environment))
    error_message = "A tag has at most 256 letters, digits, spaces and _ . : / = + @ -."
  }
}

variable "tags" {
  description = "Tags of everything that AWS can tag."
  type        = map(string)
  default = {
    cost-center = "4711"
    managed-by  = "terraform"
  }

  validation {
    condition     = alltrue([for name in keys(var.tags) : length(name) <= 128 && !startswith(lower(name), "aws:")])
    error_message = "A tag's name has 128 characters at most, and does not begin with aws:."
  }
}
