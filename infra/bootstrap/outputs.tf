output "registry" {
  description = "Where images are pushed."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}

output "state_bucket" {
  description = "Where Terraform's state lies."
  value       = google_storage_bucket.state.name
}

output "deployer" {
  description = "The account that deploys: GitHub's variable DEPLOYER."
  value       = google_service_account.deployer.email
}

output "workload_identity_provider" {
  description = "Where GitHub's tokens are exchanged: GitHub's variable WORKLOAD_IDENTITY_PROVIDER."
  value       = one(google_iam_workload_identity_pool_provider.github[*].name)
}
