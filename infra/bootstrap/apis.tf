resource "google_project_service" "api" {
  for_each = toset([
    "aiplatform", "artifactregistry", "bigquery", "billingbudgets", "cloudkms", "cloudresourcemanager", "cloudscheduler",
    "cloudtasks", "compute", "dns", "iam", "iamcredentials", "logging", "monitoring", "run", "secretmanager",
    "servicenetworking", "serviceusage", "sqladmin", "storage", "sts",
  ])
  service            = "${each.value}.googleapis.com"
  disable_on_destroy = false
}
