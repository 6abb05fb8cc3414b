# Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0.0, < 7.0.0"
    }
  }
}
