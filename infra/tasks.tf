# Who calls workers of long tools: a queue for each tool. A task carries a job's id and nothing else;
# the row is the truth, so a task that is given up is rung again by sweep.
resource "google_cloud_tasks_queue" "tool" {
  for_each = local.tools
  name     = "${var.name}-${local.slug[each.key]}"
  location = var.region

  rate_limits {
    max_dispatches_per_second = each.value.per_second
    max_concurrent_dispatches = each.value.at_once
  }
  retry_config {
    max_attempts  = 20
    min_backoff   = "5s"
    max_backoff   = "300s"
    max_doublings = 5
  }
}

# In whose name workers are called. The functions check the token themselves.
resource "google_service_account" "bell" {
  account_id   = "${var.name}-bell"
  display_name = "${var.name}: bell"
  description  = "In its name Cloud Tasks calls workers."
}

# A tool rings for itself; what rings for all says so in the manifest.
locals {
  ringing = merge([
    for key, one in local.workloads : { for tool in keys(local.tools) : "${key}/${tool}" => { workload = key, tool = tool } if one.rings || key == tool }
  ]...)
}

resource "google_cloud_tasks_queue_iam_member" "rings" {
  for_each = local.ringing
  name     = google_cloud_tasks_queue.tool[each.value.tool].name
  location = var.region
  role     = "roles/cloudtasks.enqueuer"
  member   = google_service_account.workload[each.value.workload].member
}

resource "google_service_account_iam_member" "rings" {
  for_each           = toset([for one in values(local.ringing) : one.workload])
  service_account_id = google_service_account.bell.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.workload[each.key].member
}
