# What is there for those who run it: who is told, what is looked at, what is tried again.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  profile = "small"
}

run "each_alert_says_what_to_do" {
  command = plan

  assert {
    condition     = alltrue([for one in concat(values(google_monitoring_alert_policy.alert), [google_monitoring_alert_policy.away, google_monitoring_alert_policy.burning, google_monitoring_alert_policy.not_swept]) : length(one.documentation) == 1])
    error_message = "an alert without advice helps nobody"
  }
  assert {
    condition     = alltrue([for one in google_monitoring_alert_policy.alert : length(one.notification_channels) == 0]) && length(google_monitoring_notification_channel.email) == 0
    error_message = "nobody is told who did not ask for it"
  }
}

run "somebody_is_told" {
  command = plan
  variables {
    alert_email = "ops@example.com"
  }

  assert {
    condition     = google_monitoring_notification_channel.email[0].labels == tomap({ email_address = "ops@example.com" })
    error_message = "it is the one who was named"
  }
}

run "it_is_asked_from_outside_as_users_do" {
  command = plan

  assert {
    condition     = "https://${google_monitoring_uptime_check_config.health.monitored_resource[0].labels.host}${google_monitoring_uptime_check_config.health.http_check[0].path}" == "${output.url}/health"
    error_message = "at the address that users know"
  }
  assert {
    condition     = google_monitoring_uptime_check_config.health.http_check[0].use_ssl && google_monitoring_uptime_check_config.health.http_check[0].validate_ssl
    error_message = "a certificate that has ended is found"
  }
  assert {
    condition     = google_monitoring_slo.answered.goal == 0.99 && google_monitoring_slo.in_time.goal == 0.95
    error_message = "what is promised is measured"
  }
  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.main.dashboard_json).mosaicLayout.tiles) == length(local.graphs)
    error_message = "each graph is on the page"
  }
}

run "pages_send_files_from_here_and_from_nowhere_else" {
  command = plan

  assert {
    condition     = one(google_storage_bucket.blobs.cors).origin == tolist([output.url]) && one(google_storage_bucket.blobs.cors).method == tolist(["PUT"])
    error_message = "the bucket takes uploads from our own pages"
  }
}

run "a_queue_is_as_fast_as_the_provider_behind_it_stands" {
  command = plan

  assert {
    condition     = { for key, queue in google_cloud_tasks_queue.tool : key => [queue.rate_limits[0].max_dispatches_per_second, queue.rate_limits[0].max_concurrent_dispatches] if can(jsondecode(file("../functions/manifest.json")).services[key].queue) } == { for key, one in jsondecode(file("../functions/manifest.json")).services : key => [one.queue.per_second, one.queue.at_once] if can(one.queue) }
    error_message = "the rates are those of the manifest"
  }
  assert {
    condition     = toset(keys(google_cloud_tasks_queue.tool)) == toset([for key, one in jsondecode(file("../functions/manifest.json")).services : key if anytrue([for route in one.routes : startswith(route, "/tools/")])])
    error_message = "each tool has one, and nothing else has"
  }
}

run "what_is_scheduled_is_tried_again_and_started_by_nobody_else" {
  command = plan

  assert {
    condition     = alltrue([for one in google_cloud_scheduler_job.job : one.retry_config[0].retry_count == 3])
    error_message = "a start that failed is tried again"
  }
  assert {
    condition     = toset(keys(google_cloud_run_v2_job_iam_member.scheduler)) == toset(keys(google_cloud_scheduler_job.job)) && !contains(keys(google_cloud_scheduler_job.job), "migrate")
    error_message = "the scheduler starts what has a schedule"
  }
}

run "the_connections_of_a_rollout_fit" {
  command = plan

  assert {
    condition     = output.database.connections.at_a_rollout + local.kept_back <= output.database.connections.allowed
    error_message = "old and new instances together"
  }
  assert {
    condition     = output.database.connections.at_a_rollout == sum(concat([for key, service in google_cloud_run_v2_service.function : 2 * service.template[0].scaling[0].max_instance_count * tonumber({ for env in service.template[0].containers[0].env : env.name => env.value }["DB_POOL_MAX"])], [for key in keys(output.jobs) : 4]))
    error_message = "what is counted is what services and jobs are told"
  }
}
