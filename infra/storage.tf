resource "google_storage_bucket" "blobs" {
  # checkov:skip=CKV_GCP_62:Cloud Audit Logs, where switched on for the project, say who read what
  name                        = "${var.project_id}-${var.name}-blobs"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  versioning {
    enabled = local.production
  }

  # What sweep deleted by mistake can be brought back this long.
  soft_delete_policy {
    retention_duration_seconds = 7 * 24 * 3600
  }

  # Pages send large files straight to the bucket, in sessions that a function opened.
  cors {
    origin          = [local.server_url]
    method          = ["PUT"]
    response_header = ["Content-Type", "Content-Range", "Range", "x-goog-hash"]
    max_age_seconds = 3600
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
  }
  # What was exported is where it was to go; export_analytics compares the last five weeks with it.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 60
      matches_prefix = ["exports/"]
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }
  depends_on = [google_kms_crypto_key_iam_member.blobs]
}

# Google's own roles also let their bearers list the bucket, or delete from it.
locals {
  blob_rights = {
    read   = ["storage.objects.get"]
    write  = ["storage.objects.get", "storage.objects.create"]
    delete = ["storage.objects.get", "storage.objects.delete", "storage.objects.list"]
    # To replace is to delete; BigQuery reads in the name of whoever loads, and looks at the bucket.
    export = ["storage.objects.get", "storage.objects.create", "storage.objects.delete", "storage.buckets.get"]
  }
  # Where the files lie that this is about: those of users (nova_blobs::object_name), but for exports.
  blob_folder = { for right in keys(local.blob_rights) : right => right == "export" ? "exports/" : "v1/" }
}

resource "google_project_iam_custom_role" "blobs" {
  for_each    = { for right, permissions in local.blob_rights : right => permissions if contains([for one in values(local.workloads) : one.blobs], right) }
  role_id     = "${replace(var.name, "-", "_")}_blobs_${each.key}"
  title       = "${var.name}: ${each.key} files"
  description = "What \"blobs\": \"${each.key}\" in functions/manifest.json means."
  permissions = each.value
}

resource "google_storage_bucket_iam_member" "blobs" {
  for_each = { for key, one in local.workloads : key => one if one.blobs != null }
  bucket   = google_storage_bucket.blobs.name
  role     = google_project_iam_custom_role.blobs[each.value.blobs].name
  member   = google_service_account.workload[each.key].member

  # Every name begins so; what else may lie in the bucket is not theirs.
  condition {
    title       = each.value.blobs == "export" ? "only exports" : "only files of users"
    description = "Objects under ${local.blob_folder[each.value.blobs]}, and the bucket itself."
    expression  = "resource.name.startsWith('projects/_/buckets/${google_storage_bucket.blobs.name}/objects/${local.blob_folder[each.value.blobs]}') || resource.type == 'storage.googleapis.com/Bucket'"
  }
}

data "google_storage_project_service_account" "this" {}

resource "google_kms_crypto_key_iam_member" "blobs" {
  count         = var.kms_key == null ? 0 : 1
  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = data.google_storage_project_service_account.this.member
}
