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
  }
}

resource "google_project_iam_custom_role" "blobs" {
  for_each    = local.blob_rights
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

  # Every name begins so (nova_blobs::object_name); what else may lie in the bucket is not theirs.
  condition {
    title       = "only files of users"
    description = "Objects under v1/, and the bucket itself for listing them."
    expression  = "resource.name.startsWith('projects/_/buckets/${google_storage_bucket.blobs.name}/objects/v1/') || resource.type == 'storage.googleapis.com/Bucket'"
  }
}

data "google_storage_project_service_account" "this" {}

resource "google_kms_crypto_key_iam_member" "blobs" {
  count         = var.kms_key == null ? 0 : 1
  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = data.google_storage_project_service_account.this.member
}
