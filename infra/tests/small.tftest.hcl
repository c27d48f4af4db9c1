# The small profile: one address, and nothing that costs while nobody asks but the database.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  profile = "small"
}

run "costs_little_while_nobody_asks" {
  command = plan

  assert {
    condition     = google_sql_database_instance.main.settings[0].tier == "db-f1-micro" && google_sql_database_instance.main.settings[0].availability_type == "ZONAL"
    error_message = "the database is the smallest, and there is one of it"
  }
  assert {
    condition     = length(google_compute_network.vpc) + length(google_compute_global_address.edge) + length(google_compute_global_forwarding_rule.edge) + length(google_compute_security_policy.edge) + length(google_bigquery_dataset.requests) + length(google_bigquery_dataset.usage) == 0
    error_message = "no network, no load balancer, no reserved address"
  }
  assert {
    condition     = alltrue([for service in google_cloud_run_v2_service.function : service.template[0].scaling[0].min_instance_count == 0 && service.template[0].containers[0].resources[0].cpu_idle])
    error_message = "no instance waits, and none is paid for between requests"
  }
}

run "answers_every_route_at_one_address" {
  command = plan

  assert {
    condition     = toset(keys(google_cloud_run_v2_service.function)) == toset(["analytics", "front"])
    error_message = "what sees one tenant alone is one service, and what sees all is another"
  }
  assert {
    condition     = output.url == "https://nova-front-123456789012.europe-west1.run.app"
    error_message = "the address is that of the front, was ${output.url}"
  }
  assert {
    condition     = toset(flatten([for service in output.services : service.routes])) == toset(flatten([for one in values(jsondecode(file("../functions/manifest.json")).services) : one.routes]))
    error_message = "each route of the manifest is answered"
  }
  assert {
    condition     = alltrue([for service in google_cloud_run_v2_service.function : { for env in service.template[0].containers[0].env : env.name => env.value }["SERVER_URL"] == output.url])
    error_message = "each service is told the address that users know"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_service.function["front"].template[0].containers[0].env : env.name => env.value }["CLOUD_TASKS_TARGET_URL"] == output.url
    error_message = "workers are called where the users are answered"
  }
}

run "each_program_is_its_own_and_the_image_is_one" {
  command = plan

  assert {
    condition     = alltrue([for key, service in google_cloud_run_v2_service.function : service.template[0].containers[0].command == tolist(["/bin/${key}"]) && service.template[0].containers[0].image == var.image])
    error_message = "the command chooses the program"
  }
  assert {
    condition     = toset(keys(output.jobs)) == toset([for key, one in jsondecode(file("../functions/manifest.json")).jobs : key if !lookup(one, "bigquery", false)])
    error_message = "each job of the manifest is there, but for what has to be wanted"
  }
  assert {
    condition     = alltrue([for service in google_cloud_run_v2_service.function : service.template[0].containers[0].startup_probe[0].http_get[0].path == "/readyz" && service.template[0].containers[0].liveness_probe[0].http_get[0].path == "/livez"])
    error_message = "an instance gets requests once it is ready"
  }
}

run "what_is_scheduled_is_started" {
  command = plan

  assert {
    condition     = { for key, job in google_cloud_scheduler_job.job : key => job.schedule } == { for key, one in jsondecode(file("../functions/manifest.json")).jobs : key => one.schedule if lookup(one, "schedule", null) != null && !lookup(one, "bigquery", false) }
    error_message = "the schedules are those of the manifest"
  }
}

run "what_is_scheduled_can_be_rarer" {
  command = plan

  variables {
    overrides = { sweep = { schedule = "*/15 * * * *" } }
  }

  assert {
    condition     = { for key, job in google_cloud_scheduler_job.job : key => job.schedule } == { sweep = "*/15 * * * *" }
    error_message = "the schedule is the deployment's own"
  }
}
