locals {
  # What Cloud SQL itself gives a machine of production's size; to the smallest it would give 25.
  tier            = coalesce(var.database.tier, local.production ? "db-custom-2-7680" : "db-f1-micro")
  max_connections = coalesce(var.database.max_connections, local.production ? 400 : 50)

  # At a rollout the instances of the old release and of the new one are there together. A job's
  # program uses one connection, or its pool; two executions may meet.
  kept_back = 10
  pool_peak = sum(concat(
    [for one in values(local.services) : 2 * one.max * one.pool if one.database != null],
    [for one in values(local.jobs) : 2 * one.pool if one.database != null],
  ))
}

resource "google_sql_database_instance" "main" {
  # checkov:skip=CKV_GCP_51:log_checkpoints is on, in a dynamic block that checkov does not read
  # checkov:skip=CKV_GCP_52:log_connections is on, likewise
  # checkov:skip=CKV_GCP_53:log_disconnections is on, likewise
  # checkov:skip=CKV_GCP_54:log_lock_waits is on, likewise
  # checkov:skip=CKV_GCP_60:the small profile has a public address, where only the connector gets in; production has none
  # checkov:skip=CKV_GCP_79:16 is the version that the tests of the connector and of migrations were read for; it is supported until 2028
  # checkov:skip=CKV_GCP_108:names of clients cost a lookup for each connection, and are Google's
  # checkov:skip=CKV_GCP_109:the usual level, WARNING, says more than ERROR
  # checkov:skip=CKV_GCP_110:rows are told apart by tenant in SQL; pgAudit would write articles into the log
  # checkov:skip=CKV_GCP_111:statements carry what users wrote; Query insights keeps them without values
  # checkov:skip=CKV2_GCP_13:Query insights measures durations, without a line for each statement
  name                = var.name
  database_version    = "POSTGRES_16"
  region              = var.region
  deletion_protection = var.deletion_protection
  encryption_key_name = var.kms_key

  settings {
    edition                     = "ENTERPRISE"
    tier                        = local.tier
    availability_type           = local.production ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = 10
    disk_autoresize             = true
    disk_autoresize_limit       = coalesce(var.database.max_disk_gb, local.production ? 200 : 20)
    deletion_protection_enabled = var.deletion_protection
    retain_backups_on_delete    = var.deletion_protection
    # Nobody comes in but through a connector: with a certificate of an hour, and by IAM.
    connector_enforcement = "REQUIRED"

    dynamic "database_flags" {
      for_each = {
        "cloudsql.iam_authentication" = "on"
        "max_connections"             = local.max_connections
        "log_min_duration_statement"  = "1000"
        "log_lock_waits"              = "on"
        "log_checkpoints"             = "on"
        "log_connections"             = "on"
        "log_disconnections"          = "on"
        "log_temp_files"              = "0"
        # Functions set shorter ones; this ends what nobody waits for any more.
        "idle_in_transaction_session_timeout" = "60000"
      }
      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }

    ip_configuration {
      ipv4_enabled                                  = local.access == "public"
      private_network                               = local.access == "private" ? google_compute_network.vpc[0].id : null
      enable_private_path_for_google_cloud_services = local.access == "private"
      ssl_mode                                      = "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"

      dynamic "psc_config" {
        for_each = local.access == "psc" ? [1] : []
        content {
          psc_enabled               = true
          allowed_consumer_projects = [var.project_id]
        }
      }
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "02:00"
      point_in_time_recovery_enabled = local.production
      transaction_log_retention_days = local.production ? 7 : null

      backup_retention_settings {
        retained_backups = local.production ? 30 : 7
      }
    }

    insights_config {
      query_insights_enabled  = true
      query_string_length     = 1024
      record_application_tags = true
    }

    maintenance_window {
      day          = 7
      hour         = 4
      update_track = local.production ? "stable" : "canary"
    }
  }

  lifecycle {
    precondition {
      condition     = local.pool_peak + local.kept_back <= local.max_connections
      error_message = "At a rollout the functions may open ${local.pool_peak} connections, and ${local.kept_back} are kept back for people; the database allows ${local.max_connections}. Lower max or pool (overrides), or raise database.max_connections with its tier."
    }
  }
  depends_on = [google_service_networking_connection.database]
}

resource "google_sql_database" "main" {
  name     = "nova_research"
  instance = google_sql_database_instance.main.name
  # It goes with its instance; while it has users it could not be dropped alone.
  deletion_policy = "ABANDON"
}

# Each program logs in as its own service account; no password exists. Rights inside the database
# are migrations' and NOVA_DB_GRANTS's: only who migrates may make roles.
resource "google_sql_user" "workload" {
  for_each        = { for key, one in local.workloads : key => one if one.database != null }
  instance        = google_sql_database_instance.main.name
  name            = local.database_user[each.key]
  type            = "CLOUD_IAM_SERVICE_ACCOUNT"
  database_roles  = each.value.database == "nova_owner" ? ["cloudsqlsuperuser"] : null
  deletion_policy = "ABANDON"
}
