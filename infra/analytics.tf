locals {
  # 400 days, in milliseconds: the same month of two years can be compared.
  partition_lifetime_ms = 400 * 24 * 3600 * 1000
}

# production keeps one row a request, and one a tool that an agent called in it, for questions that the
# reports of `analytics` do not answer: address, status and time, without contents and without who asked.
resource "google_bigquery_dataset" "requests" {
  count                      = local.edge
  dataset_id                 = "${replace(var.name, "-", "_")}_requests"
  description                = "One row a request, from the functions' log."
  location                   = var.region
  delete_contents_on_destroy = !var.deletion_protection

  default_partition_expiration_ms = local.partition_lifetime_ms
}

resource "google_logging_project_sink" "requests" {
  count       = local.edge
  name        = "${var.name}-requests"
  description = "The line that each function writes for each request."
  destination = "bigquery.googleapis.com/${google_bigquery_dataset.requests[0].id}"
  filter      = "${local.our_lines} AND httpRequest.requestUrl=~\"^/\""

  unique_writer_identity = true
  bigquery_options {
    use_partitioned_tables = true
  }
}

resource "google_bigquery_dataset_iam_member" "requests" {
  count      = local.edge
  dataset_id = google_bigquery_dataset.requests[0].dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_logging_project_sink.requests[0].writer_identity
}

# Where it is wanted, a copy of the usage rows, without names: the table is made by the job that fills it.
resource "google_bigquery_dataset" "usage" {
  count                      = var.bigquery ? 1 : 0
  dataset_id                 = "${replace(var.name, "-", "_")}_analytics"
  description                = "Tool calls by day, with pseudonyms in place of users."
  location                   = var.region
  delete_contents_on_destroy = !var.deletion_protection

  default_partition_expiration_ms = local.partition_lifetime_ms
}

resource "google_bigquery_dataset_iam_member" "usage" {
  for_each   = { for key, one in local.jobs : key => one if one.bigquery }
  dataset_id = google_bigquery_dataset.usage[0].dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.workload[each.key].member
}

# To load is a job of the project, which says nothing yet of what it may touch.
resource "google_project_iam_member" "loads" {
  for_each = { for key, one in local.jobs : key => one if one.bigquery }
  project  = var.project_id
  role     = "roles/bigquery.jobUser"
  member   = google_service_account.workload[each.key].member
}
