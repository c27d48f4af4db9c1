# The order of a release, in one apply: the migration job gets the new image, runs and is waited for;
# then services and the other jobs follow. When it fails, nothing else has changed.
locals {
  secret_refs = {
    for key, secrets in local.secrets_of : key => {
      for name, version in secrets : name => { secret = google_secret_manager_secret.secret[name].secret_id, version = version }
    }
  }
}

module "migrate" {
  source              = "./modules/job"
  name                = "${var.name}-migrate"
  region              = var.region
  image               = var.image
  program             = "/bin/migrate"
  service_account     = google_service_account.workload["migrate"].email
  environment         = local.environment["migrate"]
  subnet              = local.subnet
  cpu                 = local.jobs["migrate"].cpu
  memory              = local.jobs["migrate"].memory
  retries             = local.jobs["migrate"].retries
  timeout_seconds     = local.jobs["migrate"].timeout_seconds
  deletion_protection = var.deletion_protection

  # It can log in, and every login that it grants to is there.
  depends_on = [google_project_iam_member.database, google_sql_user.workload, google_sql_database.main, google_dns_record_set.database]
}

# Once for each image, and again when it is told something else: a new function's login needs rights.
resource "terraform_data" "migrated" {
  triggers_replace = {
    image  = module.migrate.image
    grants = local.environment["migrate"].NOVA_DB_GRANTS
  }

  provisioner "local-exec" {
    command = "${path.module}/tools/run-job"
    environment = {
      JOB     = module.migrate.name
      PROJECT = var.project_id
      REGION  = var.region
    }
  }
}

module "job" {
  source              = "./modules/job"
  for_each            = { for key, one in local.jobs : key => one if key != "migrate" }
  name                = "${var.name}-${local.slug[each.key]}"
  region              = var.region
  image               = var.image
  program             = "/bin/${each.key}"
  service_account     = google_service_account.workload[each.key].email
  environment         = local.environment[each.key]
  secrets             = local.secret_refs[each.key]
  subnet              = local.subnet
  cpu                 = each.value.cpu
  memory              = each.value.memory
  retries             = each.value.retries
  timeout_seconds     = each.value.timeout_seconds
  deletion_protection = var.deletion_protection

  # A job that runs at night needs the schema of its release as much as a service does.
  depends_on = [terraform_data.migrated, google_secret_manager_secret_iam_member.secret]
}

# When jobs run.
resource "google_service_account" "scheduler" {
  account_id   = "${var.name}-scheduler"
  display_name = "${var.name}: scheduler"
  description  = "In its name Cloud Scheduler starts jobs."
}

locals {
  scheduled = { for key, one in local.jobs : key => one if one.schedule != null }
}

resource "google_cloud_run_v2_job_iam_member" "scheduler" {
  for_each = local.scheduled
  name     = module.job[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}

resource "google_cloud_scheduler_job" "job" {
  for_each         = local.scheduled
  name             = "${var.name}-${local.slug[each.key]}"
  description      = "Starts the job ${each.key}."
  region           = var.region
  schedule         = each.value.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "60s"

  # A job that is started twice does its work once.
  retry_config {
    retry_count          = 3
    min_backoff_duration = "10s"
  }

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${module.job[each.key].id}:run"
    oauth_token {
      service_account_email = google_service_account.scheduler.email
    }
  }
  depends_on = [google_cloud_run_v2_job_iam_member.scheduler]
}
