# production keeps one row a request, for questions that the reports of `analytics` do not answer:
# address, status and time, without contents and without who asked.
resource "google_bigquery_dataset" "requests" {
  count                      = local.edge
  dataset_id                 = "${replace(var.name, "-", "_")}_requests"
  description                = "One row a request, from the functions' log."
  location                   = var.region
  delete_contents_on_destroy = !var.deletion_protection
  # 400 days, in milliseconds: the same month of two years can be compared.
  default_partition_expiration_ms = 400 * 24 * 3600 * 1000
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
