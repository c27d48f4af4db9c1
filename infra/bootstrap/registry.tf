resource "google_artifact_registry_repository" "images" {
  # checkov:skip=CKV_GCP_84:images hold public code and no data
  repository_id = var.name
  description   = "Images of Nova. What runs is named by digest; tags are for people."
  location      = var.region
  format        = "DOCKER"

  docker_config {
    immutable_tags = true
  }

  # Enough to go back some releases.
  cleanup_policies {
    id     = "keep-the-last-ones"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }
  cleanup_policies {
    id     = "delete-what-is-old"
    action = "DELETE"
    condition {
      tag_state  = "ANY"
      older_than = "2592000s"
    }
  }
  depends_on = [google_project_service.api]
}
