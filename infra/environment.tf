# What each program is told. The README says what the settings mean.
locals {
  # For every program, services and jobs alike.
  told = merge({
    SERVER_URL           = local.server_url
    GOOGLE_CLOUD_PROJECT = var.project_id
    LOG_FORMAT           = "json"
    CLOUD_SQL_INSTANCE   = google_sql_database_instance.main.connection_name
    CLOUD_SQL_IP_TYPE    = upper(local.access)
    DB_NAME              = google_sql_database.main.name
    OIDC_CLIENT_ID       = var.oidc.client_id
    }, { for name, value in {
      OIDC_ISSUER        = var.oidc.issuer
      DESCOPE_PROJECT_ID = var.oidc.descope_project_id
      OIDC_AUDIENCE      = var.oidc.audience
    } : name => value if value != null
  }, var.settings)

  environment = {
    for key, one in local.workloads : key => merge(
      local.told,
      one.database == null ? {} : {
        DB_USER     = local.database_user[key]
        DB_POOL_MAX = tostring(one.pool)
      },
      one.blobs == null ? {} : { BLOB_BUCKET = google_storage_bucket.blobs.name },
      one.bigquery ? { BQ_DATASET_ID = google_bigquery_dataset.usage[0].dataset_id } : {},
      # Who works lets the bell in; who rings also needs to know where.
      contains(keys(local.tools), key) || one.rings ? {
        CLOUD_TASKS_SERVICE_ACCOUNT = google_service_account.bell.email
        CLOUD_TASKS_TARGET_URL      = local.worker_url
        CLOUD_TASKS_QUEUE           = local.queue_names
      } : {},
      # Which login has the rights of which family: the migration job arranges it.
      one.database == "nova_owner" ? {
        NOVA_DB_GRANTS = join(",", [for other, it in local.workloads : "${local.database_user[other]}=${it.database}" if it.database != null && it.database != "nova_owner"])
      } : {},
    )
  }

  subnet = local.vpc == 0 ? null : {
    network    = google_compute_network.vpc[0].name
    subnetwork = google_compute_subnetwork.run[0].name
  }
}
