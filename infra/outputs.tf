output "url" {
  description = "The address that users know."
  value       = local.server_url
  depends_on  = [google_compute_global_forwarding_rule.edge]
}

output "address" {
  description = "Where the domain's A record has to lead; nothing in the small profile."
  value       = one(google_compute_global_address.edge[*].address)
}

output "services" {
  description = "The services by their name in the manifest: name and address, which revision is newest, which one gets most requests, and its routes."
  value = {
    for key, service in google_cloud_run_v2_service.function : key => {
      name     = service.name
      uri      = service.uri
      revision = basename(service.latest_ready_revision)
      # On trial that is who was there before; else the newest.
      stable = local.share[key] < 100 ? var.canary.stable[key] : basename(service.latest_ready_revision)
      routes = concat(local.services[key].routes, flatten([for other in local.services[key].answers_for : local.manifest.services[other].routes]))
    }
  }
}

output "jobs" {
  description = "The jobs by their name in the manifest."
  value       = merge({ migrate = module.migrate.name }, { for key, job in module.job : key => job.name })
}

output "accounts" {
  description = "The service account of each program."
  value       = { for key, account in google_service_account.workload : key => account.email }
}

output "database" {
  description = "The database: its instance, who logs in as which family, and the most connections that there can be beside those allowed."
  value = {
    instance    = google_sql_database_instance.main.connection_name
    users       = { for key, one in local.workloads : local.database_user[key] => one.database if one.database != null }
    connections = { at_a_rollout = local.pool_peak, allowed = local.max_connections }
  }
}

output "secrets" {
  description = "The secrets by their setting, to which versions are added."
  value       = { for key, secret in google_secret_manager_secret.secret : key => secret.secret_id }
}
