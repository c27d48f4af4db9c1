# One service account for each program. What it may do besides its own files, secrets, queues and
# calls, which stand beside those, is to log in to the database.
locals {
  # An account's name has 30 characters at most. As a database user it also carries the project's id,
  # and PostgreSQL's names end after 63: so 28. What is cut is told apart by a checksum.
  account_id = {
    for key, slug in local.slug : key => length("${var.name}-${slug}") <= 28 ? "${var.name}-${slug}" : "${substr("${var.name}-${slug}", 0, 23)}-${substr(sha1(key), 0, 4)}"
  }
  database_user = { for key in keys(local.workloads) : key => "${local.account_id[key]}@${var.project_id}.iam" }
}

resource "google_service_account" "workload" {
  for_each     = local.workloads
  account_id   = local.account_id[each.key]
  display_name = "${var.name}: ${each.key}"
  description  = "Runs ${each.key} of functions/manifest.json."
}

resource "google_project_iam_member" "database" {
  for_each = {
    for pair in setproduct([for key, one in local.workloads : key if one.database != null], ["client", "instanceUser"]) :
    "${pair[0]}/${pair[1]}" => { workload = pair[0], role = "roles/cloudsql.${pair[1]}" }
  }
  project = var.project_id
  role    = each.value.role
  member  = google_service_account.workload[each.value.workload].member

  condition {
    title       = "only the database of ${var.name}"
    description = "The instance of this deployment, and no other of the project."
    expression  = "resource.name == 'projects/${var.project_id}/instances/${google_sql_database_instance.main.name}' && resource.service == 'sqladmin.googleapis.com'"
  }
}

# Whoever may use a key of Google's models may also ask them by IAM, where Vertex AI was chosen.
resource "google_project_iam_member" "models" {
  for_each = { for key, one in local.workloads : key => one if contains(one.secrets, "GOOGLE_API_KEY") && contains(keys(var.settings), "VERTEX_LOCATION") }
  project  = var.project_id
  role     = "roles/aiplatform.user"
  member   = google_service_account.workload[each.key].member
}
