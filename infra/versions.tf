terraform {
  # Values that mocks give while planning, which the tests use, are of 1.11.
  required_version = ">= 1.11"

  required_providers {
    google = {
      source = "hashicorp/google"
      # Roles of database users are of 7.18; what 8.0 changes is written out here.
      version = ">= 7.18, < 9"
    }
  }

  # The bucket that infra/bootstrap made; `make plan` says which.
  backend "gcs" {}
}

provider "google" {
  project               = var.project_id
  region                = var.region
  user_project_override = true
  billing_project       = var.project_id
  default_labels        = { app = var.name, profile = var.profile, managed-by = "terraform" }
}

data "google_project" "this" {}
