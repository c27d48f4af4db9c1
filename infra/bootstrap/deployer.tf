# Who deploys, from GitHub or in a person's stead (`gcloud auth application-default login
# --impersonate-service-account`). It may make what infra/ makes, and grant what infra/ grants.
locals {
  deployer_roles = [
    "roles/artifactregistry.writer",
    "roles/bigquery.dataOwner",
    "roles/cloudscheduler.admin",
    "roles/cloudsql.admin",
    "roles/cloudtasks.admin",
    "roles/compute.loadBalancerAdmin",
    "roles/compute.networkAdmin",
    "roles/compute.securityAdmin",
    "roles/dns.admin",
    "roles/iam.roleAdmin",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountUser",
    "roles/logging.configWriter",
    "roles/logging.viewer",
    "roles/monitoring.editor",
    "roles/run.admin",
    "roles/secretmanager.admin",
    "roles/servicenetworking.networksAdmin",
    "roles/serviceusage.serviceUsageConsumer",
    "roles/storage.admin",
  ]
  # What it may give to others in the project.
  grantable_roles = ["roles/cloudsql.client", "roles/cloudsql.instanceUser", "roles/aiplatform.user", "roles/bigquery.jobUser"]
}

resource "google_service_account" "deployer" {
  account_id   = "${var.name}-deployer"
  display_name = "${var.name}: deployer"
  description  = "Makes and changes what infra/ describes."
  depends_on   = [google_project_service.api]
}

resource "google_project_iam_member" "deployer" {
  # checkov:skip=CKV_GCP_41:it lets services run as accounts that it makes itself, whose names are not known before
  # checkov:skip=CKV_GCP_49:likewise
  for_each = toset(local.deployer_roles)
  project  = var.project_id
  role     = each.key
  member   = google_service_account.deployer.member
}

# Without the condition it could make itself the owner.
resource "google_project_iam_member" "deployer_grants" {
  project = var.project_id
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = google_service_account.deployer.member

  condition {
    title       = "only what functions need"
    description = "It gives and takes these roles, and no others."
    expression  = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([${join(", ", [for role in local.grantable_roles : "'${role}'"])}])"
  }
}

resource "google_storage_bucket_iam_member" "deployer" {
  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectUser"
  member = google_service_account.deployer.member
}
