resource "google_cloud_run_v2_service" "function" {
  for_each = local.services
  name     = "${var.name}-${local.slug[each.key]}"
  location = var.region
  # Cloud Tasks and Scheduler of this project count as internal.
  ingress = local.production ? "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" : "INGRESS_TRAFFIC_ALL"
  # Who calls is known by the token that the function checks itself, not by an account of Google's.
  invoker_iam_disabled = each.value.public
  deletion_protection  = var.deletion_protection

  template {
    service_account                  = google_service_account.workload[each.key].email
    timeout                          = "${each.value.timeout_seconds}s"
    max_instance_request_concurrency = each.value.concurrency
    # Starts fastest, and may have less than half a gigabyte.
    execution_environment = "EXECUTION_ENVIRONMENT_GEN1"

    scaling {
      min_instance_count = each.value.min
      max_instance_count = each.value.max
    }

    dynamic "vpc_access" {
      for_each = local.subnet[*]
      content {
        egress = "PRIVATE_RANGES_ONLY"
        network_interfaces {
          network    = vpc_access.value.network
          subnetwork = vpc_access.value.subnetwork
        }
      }
    }

    containers {
      image   = var.image
      command = ["/bin/${each.key}"]

      resources {
        limits = { cpu = each.value.cpu, memory = each.value.memory }
        # Between requests the processor sleeps and costs nothing.
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = local.environment[each.key]
        content {
          name  = env.key
          value = env.value
        }
      }
      dynamic "env" {
        for_each = local.secret_refs[each.key]
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value.secret
              version = env.value.version
            }
          }
        }
      }

      # An instance gets requests once it has reached a database whose schema it knows. Direct VPC
      # egress passes nothing for up to 80 s after a start.
      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 60
        http_get {
          path = "/readyz"
        }
      }
      # Whether it still answers; a database that is away is no reason to start anew.
      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 3
        http_get {
          path = "/livez"
        }
      }
    }
  }

  # On trial the newest revision gets its share, and the one before gets the others.
  dynamic "traffic" {
    for_each = local.share[each.key] > 0 ? [local.share[each.key]] : []
    content {
      type    = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
      percent = traffic.value
    }
  }
  dynamic "traffic" {
    for_each = local.share[each.key] < 100 ? [var.canary.stable[each.key]] : []
    content {
      type     = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
      revision = traffic.value
      percent  = 100 - local.share[each.key]
    }
  }

  lifecycle {
    precondition {
      condition     = length("${var.name}-${local.slug[each.key]}-${data.google_project.this.number}") <= 63
      error_message = "The address of ${each.key} would have more than 63 characters before its first dot: choose a shorter name."
    }
  }

  # Nothing here gets the new image before the database is ready for it.
  depends_on = [terraform_data.migrated, google_secret_manager_secret_iam_member.secret, google_storage_bucket_iam_member.blobs]
}

locals {
  # What is new since the last release has no revision that could get the others.
  share = { for key in keys(local.services) : key => contains(keys(var.canary.stable), key) ? var.canary.percent : 100 }
}

# What is not for the world is called by the agents' function and by the bell.
resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = merge([
    for key, one in local.services : { for who in ["bell", "mcp"] : "${key}/${who}" => { service = key, who = who } if who == "bell" || contains(keys(local.services), who) } if !one.public
  ]...)
  name     = google_cloud_run_v2_service.function[each.value.service].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value.who == "bell" ? google_service_account.bell.member : google_service_account.workload[each.value.who].member
}
