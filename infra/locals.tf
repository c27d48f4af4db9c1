# What is deployed: functions/manifest.json, seen through the profile.
locals {
  manifest   = jsondecode(file("${path.module}/../functions/manifest.json"))
  production = var.profile == "production"

  usual = {
    routes = [], answers_for = [], database = null, blobs = null, bigquery = false, secrets = [], public = false, rings = false, queue = null
    cpu    = "1", memory = "256Mi", timeout_seconds = 300, schedule = null, retries = 3, concurrency = 40
    min    = 0, max = local.production ? 3 : 2, pool = 2
  }
  override = { for key, one in var.overrides : key => { for name, value in one : name => value if value != null } }

  # Behind a load balancer every service stands for itself. Without one, those that can share a
  # process and a login do, and have one address.
  together = local.production ? {} : local.manifest.together
  shared   = toset(flatten([for one in values(local.together) : one.answers_for]))
  services = {
    for key, one in merge({ for key, one in local.manifest.services : key => one if !contains(local.shared, key) }, local.together) :
    key => merge(local.usual, one, lookup(local.override, key, {}), {
      secrets = distinct(concat(lookup(one, "secrets", []), flatten([for other in lookup(one, "answers_for", []) : lookup(local.manifest.services[other], "secrets", [])])))
    })
  }
  # A job's instance has half a gigabyte at least. What loads into BigQuery is for those who want that.
  jobs = {
    for key, one in local.manifest.jobs : key => merge(local.usual, { memory = "512Mi" }, one, lookup(local.override, key, {}))
    if var.bigquery || !lookup(one, "bigquery", false)
  }
  workloads = merge(local.services, local.jobs)

  # Each tool has a queue, whose rates are what the provider behind it stands.
  tools = {
    for key, one in local.manifest.services : key => merge({ per_second = 5, at_once = 10 }, lookup(one, "queue", {}))
    if length([for route in one.routes : route if startswith(route, "/tools/")]) > 0
  }

  # Cloud Run's names have hyphens, and its addresses are known before there is a service.
  slug        = { for key in keys(merge(local.workloads, local.manifest.services)) : key => replace(key, "_", "-") }
  run_app     = "${data.google_project.this.number}.${var.region}.run.app"
  entrance    = one(keys(local.together))
  server_url  = local.production ? "https://${var.domain}" : "https://${var.name}-${local.slug[local.entrance]}-${local.run_app}"
  worker_url  = local.production ? "https://${var.name}-{function}-${local.run_app}" : local.server_url
  queue_names = "projects/${var.project_id}/locations/${var.region}/queues/${var.name}-{function}"
}
