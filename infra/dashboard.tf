# One page to look at first.
locals {
  graphs = [
    { title = "Requests by status", filter = "${local.our_services} AND metric.type=\"run.googleapis.com/request_count\"", align = "ALIGN_RATE", reduce = "REDUCE_SUM", by = ["metric.label.response_code_class"] },
    { title = "Time of the slowest twentieth, by service", filter = "${local.our_services} AND metric.type=\"run.googleapis.com/request_latencies\"", align = "ALIGN_PERCENTILE_95", reduce = "REDUCE_MAX", by = ["resource.label.service_name"] },
    { title = "Calls of tools", filter = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.tool_calls.name}\"", align = "ALIGN_DELTA", reduce = "REDUCE_SUM", by = ["metric.label.tool"] },
    { title = "Instances, by service", filter = "${local.our_services} AND metric.type=\"run.googleapis.com/container/instance_count\"", align = "ALIGN_MAX", reduce = "REDUCE_SUM", by = ["resource.label.service_name"] },
    { title = "Memory in use, by service", filter = "${local.our_services} AND metric.type=\"run.googleapis.com/container/memory/utilizations\"", align = "ALIGN_PERCENTILE_95", reduce = "REDUCE_MAX", by = ["resource.label.service_name"] },
    { title = "Start of an instance", filter = "${local.our_services} AND metric.type=\"run.googleapis.com/container/startup_latencies\"", align = "ALIGN_PERCENTILE_95", reduce = "REDUCE_MAX", by = ["resource.label.service_name"] },
    { title = "Calls that wait for a worker", filter = "resource.type=\"cloud_tasks_queue\" AND metric.type=\"cloudtasks.googleapis.com/queue/depth\"", align = "ALIGN_MAX", reduce = "REDUCE_SUM", by = ["resource.label.queue_id"] },
    { title = "Executions of jobs", filter = "${local.our_jobs} AND metric.type=\"run.googleapis.com/job/completed_execution_count\"", align = "ALIGN_DELTA", reduce = "REDUCE_SUM", by = ["resource.label.job_name", "metric.label.result"] },
    { title = "Connections of the database (at most ${local.max_connections})", filter = "${local.our_database} AND metric.type=\"cloudsql.googleapis.com/database/postgresql/num_backends\"", align = "ALIGN_MAX", reduce = "REDUCE_SUM", by = [] },
    { title = "Processor of the database", filter = "${local.our_database} AND metric.type=\"cloudsql.googleapis.com/database/cpu/utilization\"", align = "ALIGN_MEAN", reduce = "REDUCE_MAX", by = [] },
  ]
}

resource "google_monitoring_dashboard" "main" {
  dashboard_json = jsonencode({
    displayName = var.name
    mosaicLayout = {
      columns = 12
      tiles = [for index, graph in local.graphs : {
        xPos = 6 * (index % 2), yPos = 4 * floor(index / 2), width = 6, height = 4
        widget = {
          title = graph.title
          xyChart = {
            dataSets = [{
              plotType = "LINE"
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = graph.filter
                  aggregation = {
                    alignmentPeriod    = "300s"
                    perSeriesAligner   = graph.align
                    crossSeriesReducer = graph.reduce
                    groupByFields      = graph.by
                  }
                }
              }
            }]
          }
        }
      }]
    }
  })
}
