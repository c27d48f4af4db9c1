# Terraform's memory: whoever reads it knows every name, whoever writes it owns the project.
resource "google_storage_bucket" "state" {
  # checkov:skip=CKV_GCP_62:Cloud Audit Logs, where switched on for the project, say who read what
  name                        = "${var.project_id}-${var.name}-state"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 50
      with_state         = "ARCHIVED"
    }
  }
  lifecycle {
    prevent_destroy = true
  }
}
