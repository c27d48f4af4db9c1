# Who may do what: no more than the manifest says.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  profile = "production"
  domain  = "nova.example.com"
  secrets = { PPLX_API_KEY = "1", GITHUB_TOKEN = "3" }
}

run "no_two_programs_share_an_account" {
  command = plan

  assert {
    condition     = length(distinct(values(google_service_account.workload)[*].account_id)) == length(output.services) + length(output.jobs)
    error_message = "each program has its own"
  }
  assert {
    condition     = alltrue([for account in google_service_account.workload : length(account.account_id) <= 28])
    error_message = "as a database user it fits PostgreSQL's 63 characters"
  }
}

run "the_database_knows_each_program_by_its_family" {
  command = plan

  assert {
    condition     = [for key, user in google_sql_user.workload : key if user.database_roles != null] == ["migrate"]
    error_message = "who migrates makes roles, and nobody else"
  }
  assert {
    condition     = output.database.users == { for key, one in merge(jsondecode(file("../functions/manifest.json")).services, jsondecode(file("../functions/manifest.json")).jobs) : google_sql_user.workload[key].name => one.database if lookup(one, "database", null) != null && contains(keys(google_sql_user.workload), key) }
    error_message = "each login has the family of the manifest"
  }
  assert {
    condition     = !contains(keys(google_sql_user.workload), "sign_in") && length([for key in keys(google_project_iam_member.database) : key if startswith(key, "sign_in/")]) == 0
    error_message = "who needs no database does not log in to it"
  }
  assert {
    condition     = alltrue([for one in google_project_iam_member.database : length(one.condition) == 1])
    error_message = "they log in to this instance and no other"
  }
  assert {
    condition     = length(split(",", { for env in module.migrate.environment : env.name => env.value }["NOVA_DB_GRANTS"])) == length(google_sql_user.workload) - 1
    error_message = "who migrates grants to all others"
  }
}

run "secrets_are_given_one_by_one" {
  command = plan

  assert {
    condition     = toset(keys(google_secret_manager_secret_iam_member.secret)) == toset(["process_github_urls/GITHUB_TOKEN", "research/GITHUB_TOKEN", "run_perplexity_research/PPLX_API_KEY", "mcp/PPLX_API_KEY", "research/PPLX_API_KEY"])
    error_message = "a program reads what the manifest gives it and the deployment has"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_service.function["process_github_urls"].template[0].containers[0].env : env.name => env.value_source[0].secret_key_ref[0].version if length(env.value_source) > 0 } == { GITHUB_TOKEN = "3" }
    error_message = "the version is the one that was named"
  }
}

run "files_are_read_written_or_deleted" {
  command = plan

  assert {
    condition     = { for key, one in google_project_iam_custom_role.blobs : key => contains(one.permissions, "storage.objects.delete") } == { read = false, write = false, delete = true }
    error_message = "who writes does not delete"
  }
  assert {
    condition     = toset(keys(google_storage_bucket_iam_member.blobs)) == toset([for key, one in merge(jsondecode(file("../functions/manifest.json")).services, jsondecode(file("../functions/manifest.json")).jobs) : key if lookup(one, "blobs", null) != null && !lookup(one, "bigquery", false)])
    error_message = "the bucket is for those that the manifest names"
  }
  assert {
    condition     = google_storage_bucket.blobs.public_access_prevention == "enforced" && google_storage_bucket.blobs.uniform_bucket_level_access
    error_message = "no file can be made public"
  }
}

run "a_tool_rings_for_itself" {
  command = plan

  assert {
    condition     = toset([for key in keys(google_cloud_tasks_queue_iam_member.rings) : key if startswith(key, "process_github_urls/")]) == toset(["process_github_urls/process_github_urls"])
    error_message = "it rings its own queue and no other"
  }
  assert {
    condition     = length([for key in keys(google_cloud_tasks_queue_iam_member.rings) : key if startswith(key, "sweep/")]) == length(google_cloud_tasks_queue.tool)
    error_message = "sweep rings for all"
  }
  assert {
    condition     = !contains(keys(google_service_account_iam_member.rings), "usage")
    error_message = "who rings nobody may not speak for the bell"
  }
}
