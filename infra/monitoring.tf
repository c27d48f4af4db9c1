# Who is told of what. Each alert names the part of infra/README.md that says what to do.
locals {
  our_services = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=monitoring.regex.full_match(\"${var.name}-.*\")"
  our_jobs     = "resource.type=\"cloud_run_job\" AND resource.labels.job_name=monitoring.regex.full_match(\"${var.name}-.*\")"
  our_database = "resource.type=\"cloudsql_database\" AND resource.labels.database_id=\"${var.project_id}:${google_sql_database_instance.main.name}\""
  our_lines    = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^${var.name}-\""
  channels     = google_monitoring_notification_channel.email[*].id

  alerts = {
    faults = {
      text   = "requests fail", filter = "${local.our_services} AND metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code_class=\"5xx\""
      above  = 0.05, seconds = 300, align = "ALIGN_RATE", reduce = "REDUCE_SUM"
      advice = "More than three requests in a minute end with 5xx. Each has a line of severity ERROR with its cause: `make logs SEVERITY=ERROR`."
    }
    slow = {
      text   = "requests are slow", filter = "${local.our_services} AND metric.type=\"run.googleapis.com/request_latencies\""
      above  = 60000, seconds = 900, align = "ALIGN_PERCENTILE_95", reduce = "REDUCE_MAX"
      advice = "One request in twenty takes more than a minute, and long tools answer after 50 s at most. See the database's graphs."
    }
    jobs = {
      text   = "a job failed", filter = "${local.our_jobs} AND metric.type=\"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result=\"failed\""
      above  = 0, seconds = 0, align = "ALIGN_DELTA", reduce = "REDUCE_SUM"
      advice = "`make logs FUNCTION=sweep`, or which job it is, shows why; the next run goes on where this one ended."
    }
    waiting = {
      text   = "workers are waited for", filter = "resource.type=\"cloud_tasks_queue\" AND resource.labels.queue_id=monitoring.regex.full_match(\"${var.name}-.*\") AND metric.type=\"cloudtasks.googleapis.com/queue/depth\""
      above  = 200, seconds = 900, align = "ALIGN_MAX", reduce = "REDUCE_MAX"
      advice = "A queue has more than 200 calls for a quarter of an hour: a provider is away, or its rate in functions/manifest.json is too low."
    }
    connections = {
      text   = "connections run out", filter = "${local.our_database} AND metric.type=\"cloudsql.googleapis.com/database/postgresql/num_backends\""
      above  = floor(local.max_connections * 0.8), seconds = 300, align = "ALIGN_MAX", reduce = "REDUCE_SUM"
      advice = "More than four fifths of the database's connections are open. `terraform output database` shows what was planned."
    }
    disk = {
      text   = "the database's disk fills up", filter = "${local.our_database} AND metric.type=\"cloudsql.googleapis.com/database/disk/utilization\""
      above  = 0.85, seconds = 900, align = "ALIGN_MEAN", reduce = "REDUCE_MAX"
      advice = "The disk grows by itself up to database.max_disk_gb; raise that."
    }
    processor = {
      text   = "the database is busy", filter = "${local.our_database} AND metric.type=\"cloudsql.googleapis.com/database/cpu/utilization\""
      above  = 0.9, seconds = 1800, align = "ALIGN_MEAN", reduce = "REDUCE_MAX"
      advice = "Half an hour above 90 %. Query insights name the statement, each of which carries the name of its function in our code."
    }
    errors = {
      text   = "something needs a person", filter = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.errors.name}\""
      above  = 5, seconds = 0, align = "ALIGN_DELTA", reduce = "REDUCE_SUM"
      advice = "More than five lines of severity ERROR in five minutes: `make logs SEVERITY=ERROR`."
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  count        = var.alert_email == null ? 0 : 1
  display_name = "${var.name}: who is told"
  type         = "email"
  labels       = { email_address = var.alert_email }
}

resource "google_logging_metric" "errors" {
  name        = "${var.name}/errors"
  description = "Lines by which a function asks for a person."
  filter      = "${local.our_lines} AND severity>=ERROR"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_logging_metric" "tool_calls" {
  name        = "${var.name}/tool_calls"
  description = "Calls of tools, by tool and status."
  filter      = "${local.our_lines} AND httpRequest.requestUrl=~\"^/tools/\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    labels {
      key        = "tool"
      value_type = "STRING"
    }
    labels {
      key        = "status"
      value_type = "STRING"
    }
  }
  label_extractors = {
    tool   = "REGEXP_EXTRACT(httpRequest.requestUrl, \"^/tools/([a-z_]+)\")"
    status = "EXTRACT(httpRequest.status)"
  }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each              = local.alerts
  display_name          = "${var.name}: ${each.value.text}"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.text
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "${each.value.seconds}s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = each.value.align
        cross_series_reducer = each.value.reduce
      }
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.advice}\n\nSee infra/README.md, \"When something is wrong\"."
  }
}

# Asked from outside, as users do. Rarely in the small profile, where each question may start an instance.
resource "google_monitoring_uptime_check_config" "health" {
  display_name = "${var.name}: health"
  timeout      = "10s"
  period       = local.production ? "60s" : "900s"

  http_check {
    path         = "/health"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }
  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project_id, host = trimprefix(local.server_url, "https://") }
  }
  content_matchers {
    matcher = "CONTAINS_STRING"
    content = "\"status\":\"ok\""
  }
  depends_on = [google_cloud_run_v2_service.function]
}

resource "google_monitoring_alert_policy" "away" {
  display_name          = "${var.name}: users do not reach it"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "/health does not answer"
    condition_threshold {
      filter          = "resource.type=\"uptime_url\" AND metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id=\"${google_monitoring_uptime_check_config.health.uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "0s"

      aggregations {
        alignment_period     = local.production ? "300s" : "1800s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "Two places or more do not get an answer from ${local.server_url}/health.\n\nSee infra/README.md, \"When something is wrong\"."
  }
}

# Who is not started fails at nothing: files that nobody refers to stay, calls that were not rung wait.
resource "google_monitoring_alert_policy" "not_swept" {
  display_name          = "${var.name}: sweep does not run"
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = "no run of it has ended well for two hours"
    condition_threshold {
      filter                  = "resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"${module.job["sweep"].name}\" AND metric.type=\"run.googleapis.com/job/completed_execution_count\" AND metric.labels.result=\"succeeded\""
      comparison              = "COMPARISON_LT"
      threshold_value         = 1
      duration                = "3600s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_ACTIVE"

      aggregations {
        alignment_period     = "3600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "Look whether Cloud Scheduler starts it, and at `make logs FUNCTION=sweep`.\n\nSee infra/README.md, \"When something is wrong\"."
  }
}

# What users are promised: of the requests of 28 days, so many are answered without a fault of ours.
resource "google_monitoring_custom_service" "nova" {
  service_id   = var.name
  display_name = var.name
}

resource "google_monitoring_slo" "answered" {
  service             = google_monitoring_custom_service.nova.service_id
  slo_id              = "answered"
  display_name        = "Requests are answered without a fault of ours"
  goal                = local.production ? 0.995 : 0.99
  rolling_period_days = 28

  request_based_sli {
    good_total_ratio {
      total_service_filter = "${local.our_services} AND metric.type=\"run.googleapis.com/request_count\""
      bad_service_filter   = "${local.our_services} AND metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code_class=\"5xx\""
    }
  }
}

# At this pace the faults of 28 days are used up in two: sooner than a slow trickle, later than one bad minute.
resource "google_monitoring_alert_policy" "burning" {
  display_name          = "${var.name}: more requests fail than are allowed"
  combiner              = "AND"
  notification_channels = local.channels

  dynamic "conditions" {
    for_each = { "in the last hour" = "3600s", "and in the last five minutes" = "300s" }
    content {
      display_name = conditions.key
      condition_threshold {
        filter          = "select_slo_burn_rate(\"${google_monitoring_slo.answered.name}\", \"${conditions.value}\")"
        comparison      = "COMPARISON_GT"
        threshold_value = 14
        duration        = "0s"
      }
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "Requests fail fourteen times as often as the objective allows. After a release: `make rollback`; else `make logs SEVERITY=ERROR`.\n\nSee infra/README.md, \"When something is wrong\"."
  }
}

resource "google_monitoring_slo" "in_time" {
  service             = google_monitoring_custom_service.nova.service_id
  slo_id              = "in-time"
  display_name        = "Requests are answered within a minute"
  goal                = 0.95
  rolling_period_days = 28

  request_based_sli {
    distribution_cut {
      distribution_filter = "${local.our_services} AND metric.type=\"run.googleapis.com/request_latencies\""
      range {
        max = 60000
      }
    }
  }
}
