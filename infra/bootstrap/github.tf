# GitHub's workflows get in without a key: they show a token of GitHub's, which says which repository,
# branch and environment they run for. (Its subject says so too, but is written in one of two ways.)
locals {
  github = var.github == null ? 0 : 1
}

resource "google_iam_workload_identity_pool" "github" {
  count                     = local.github
  workload_identity_pool_id = "${var.name}-github"
  display_name              = "GitHub"
  depends_on                = [google_project_service.api]
}

resource "google_iam_workload_identity_pool_provider" "github" {
  # checkov:skip=CKV_GCP_125:the condition names the repository by number, the branch and the environment; checkov wants the subject
  count                              = local.github
  workload_identity_pool_id          = google_iam_workload_identity_pool.github[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  display_name                       = "GitHub Actions"

  attribute_mapping = {
    "google.subject"          = "assertion.sub"
    "attribute.repository_id" = "assertion.repository_id"
  }
  # The main branch, in the one environment whose rules say who has to agree: a workflow that names another
  # one makes it, without rules.
  attribute_condition = join(" && ", [
    "assertion.repository_id == '${var.github.repository_id}'",
    "assertion.repository == '${var.github.repository}'",
    "assertion.ref == 'refs/heads/main'",
    "assertion.environment == '${var.github.environment}'",
  ])

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account_iam_member" "github" {
  count              = local.github
  service_account_id = google_service_account.deployer.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github[0].name}/attribute.repository_id/${var.github.repository_id}"
}
