# A copy of usage in BigQuery: only where it is wanted, and for one job alone.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  profile = "small"
}

run "nothing_of_it_is_there_by_itself" {
  command = plan

  assert {
    condition     = length(google_bigquery_dataset.usage) + length(google_project_iam_member.loads) + length(google_bigquery_dataset_iam_member.usage) == 0
    error_message = "no dataset, and no rights"
  }
  assert {
    condition     = !contains(keys(output.jobs), "export_analytics") && !contains(keys(google_service_account.workload), "export_analytics") && !contains(keys(google_project_iam_custom_role.blobs), "export")
    error_message = "no job, no account, no role"
  }
}

run "without_a_salt_nothing_leaves" {
  command = plan
  variables {
    bigquery = true
  }
  expect_failures = [var.bigquery]
}

run "a_salt_is_no_setting" {
  command = plan
  variables {
    settings = { USER_ID_SALT = "readable for everybody" }
  }
  expect_failures = [var.settings]
}

run "in_small_it_is_one_job_more" {
  command = plan
  variables {
    bigquery = true
    secrets  = { USER_ID_SALT = "2" }
  }

  assert {
    condition     = toset(keys(output.jobs)) == toset(keys(jsondecode(file("../functions/manifest.json")).jobs)) && google_cloud_scheduler_job.job["export_analytics"].schedule == jsondecode(file("../functions/manifest.json")).jobs.export_analytics.schedule
    error_message = "each job of the manifest is there, and starts when it is to"
  }
  assert {
    condition     = { for env in module.job["export_analytics"].environment : env.name => env.value }["BQ_DATASET_ID"] == google_bigquery_dataset.usage[0].dataset_id
    error_message = "it is told where to"
  }
  assert {
    condition     = [for key, job in module.job : key if contains(job.environment[*].name, "BQ_DATASET_ID")] == ["export_analytics"]
    error_message = "nobody else is"
  }
  assert {
    condition     = [for key in keys(google_secret_manager_secret_iam_member.secret) : key if endswith(key, "/USER_ID_SALT")] == ["export_analytics/USER_ID_SALT"]
    error_message = "nobody else knows how users are hashed"
  }
  assert {
    condition     = google_bigquery_dataset.usage[0].default_partition_expiration_ms == 34560000000 && google_bigquery_dataset.usage[0].location == var.region
    error_message = "a day is kept for 400, and where everything is"
  }
}

run "in_production_its_rights_are_its_own" {
  command = plan
  variables {
    profile  = "production"
    domain   = "nova.example.com"
    bigquery = true
    secrets  = { USER_ID_SALT = "2" }
  }

  assert {
    condition     = keys(google_project_iam_member.loads) == ["export_analytics"] && keys(google_bigquery_dataset_iam_member.usage) == ["export_analytics"]
    error_message = "one account loads"
  }
  assert {
    condition     = google_project_iam_member.loads["export_analytics"].role == "roles/bigquery.jobUser" && google_bigquery_dataset_iam_member.usage["export_analytics"].role == "roles/bigquery.dataEditor"
    error_message = "to load is a right in the project, to write one on the dataset"
  }
  assert {
    condition     = strcontains(google_storage_bucket_iam_member.blobs["export_analytics"].condition[0].expression, "/objects/exports/') ") && !strcontains(google_storage_bucket_iam_member.blobs["export_analytics"].condition[0].expression, "/v1/")
    error_message = "it sees no file of a user"
  }
  assert {
    condition     = alltrue([for key, one in google_storage_bucket_iam_member.blobs : key == "export_analytics" || strcontains(one.condition[0].expression, "/objects/v1/') ")])
    error_message = "and the others see none of its files"
  }
  assert {
    condition     = google_sql_user.workload["export_analytics"].database_roles == null && output.database.users[google_sql_user.workload["export_analytics"].name] == "nova_analytics"
    error_message = "it reads rows as reports do"
  }
}
