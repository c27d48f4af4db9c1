# What a project needs once, before anything is deployed into it; made by its owner, with
# infra/tools/bootstrap. What is deployed later is made by the deployer, who may less.
terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.18, < 9"
    }
  }

  # In the bucket that is made here; infra/tools/bootstrap makes it first, and imports it.
  backend "gcs" {}
}

provider "google" {
  project               = var.project_id
  region                = var.region
  user_project_override = true
  billing_project       = var.project_id
  default_labels        = { app = var.name, managed-by = "terraform" }
}

data "google_project" "this" {}
