# A secret for each name that the manifest knows, empty until somebody adds a version: no value is
# ever in Terraform's state. Which versions are used is said by var.secrets.
locals {
  secrets_known = toset(flatten([for one in concat(values(local.manifest.services), values(local.manifest.jobs)) : lookup(one, "secrets", [])]))
  # What each program is given: what it may have, as far as it is configured.
  secrets_of = { for key, one in local.workloads : key => { for secret in one.secrets : secret => var.secrets[secret] if contains(keys(var.secrets), secret) } }
}

resource "google_secret_manager_secret" "secret" {
  for_each  = local.secrets_known
  secret_id = "${var.name}-${lower(replace(each.key, "_", "-"))}"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(setsubtract(keys(var.secrets), local.secrets_known)) == 0
      error_message = "var.secrets names ${join(", ", setsubtract(keys(var.secrets), local.secrets_known))}, which no function reads; functions/manifest.json lists those that are read."
    }
  }
}

resource "google_secret_manager_secret_iam_member" "secret" {
  for_each = merge([
    for key, secrets in local.secrets_of : { for secret in keys(secrets) : "${key}/${secret}" => { workload = key, secret = secret } }
  ]...)
  secret_id = google_secret_manager_secret.secret[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.workload[each.value.workload].member
}
