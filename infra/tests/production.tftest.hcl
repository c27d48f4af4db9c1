# The production profile: a service for each function, behind a load balancer; nothing else from outside.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  profile = "production"
  domain  = "nova.example.com"
}

run "the_database_has_a_stand_by_and_no_public_address" {
  command = plan

  assert {
    condition     = google_sql_database_instance.main.settings[0].availability_type == "REGIONAL" && google_sql_database_instance.main.settings[0].backup_configuration[0].point_in_time_recovery_enabled
    error_message = "a zone may fail, and a minute can be gone back to"
  }
  assert {
    condition     = !google_sql_database_instance.main.settings[0].ip_configuration[0].ipv4_enabled && alltrue([for service in google_cloud_run_v2_service.function : length(service.template[0].vpc_access) == 1])
    error_message = "it is reached through the network alone"
  }
  assert {
    condition     = google_sql_database_instance.main.deletion_protection && google_sql_database_instance.main.settings[0].deletion_protection_enabled && !google_storage_bucket.blobs.force_destroy
    error_message = "data is not deleted by an apply"
  }
}

run "every_route_leads_from_the_load_balancer_to_its_service" {
  command = plan

  assert {
    condition     = alltrue([for service in google_cloud_run_v2_service.function : service.ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"])
    error_message = "there is no way around the load balancer"
  }
  assert {
    condition     = toset(keys(google_cloud_run_v2_service.function)) == toset(keys(jsondecode(file("../functions/manifest.json")).services))
    error_message = "each service of the manifest is one, and front is none"
  }
  assert {
    condition     = toset(flatten([for rule in google_compute_url_map.edge[0].path_matcher[0].path_rule : rule.paths])) == toset([for route in flatten([for one in values(jsondecode(file("../functions/manifest.json")).services) : one.routes]) : replace(route, "/\\{.*$/", "*")])
    error_message = "the map knows the routes of the manifest and no others"
  }
  assert {
    condition     = google_compute_global_forwarding_rule.edge[0].port_range == "443" && google_compute_url_map.redirect[0].default_url_redirect[0].https_redirect
    error_message = "there is TLS, and the way to it"
  }
  assert {
    condition     = output.url == "https://nova.example.com"
    error_message = "users know the domain"
  }
}

run "workers_are_called_at_their_own_service" {
  command = plan

  assert {
    condition     = { for env in google_cloud_run_v2_service.function["process_github_urls"].template[0].containers[0].env : env.name => env.value }["CLOUD_TASKS_TARGET_URL"] == "https://nova-{function}-123456789012.europe-west1.run.app"
    error_message = "each function has an address of Cloud Run's, known before it is there"
  }
  assert {
    condition     = alltrue([for key, queue in google_cloud_tasks_queue.tool : queue.name == "nova-${replace(key, "_", "-")}"])
    error_message = "each tool has its queue"
  }
}

run "an_endpoint_in_the_network_is_an_option" {
  command = plan
  variables {
    database = { access = "psc" }
  }

  assert {
    condition     = one(google_sql_database_instance.main.settings[0].ip_configuration[0].psc_config).psc_enabled && length(google_compute_forwarding_rule.database) == 1 && google_dns_record_set.database[0].name == "fake.europe-west1.sql.goog."
    error_message = "the database's own name leads to the endpoint"
  }
  assert {
    condition     = { for env in google_cloud_run_v2_service.function["usage"].template[0].containers[0].env : env.name => env.value }["CLOUD_SQL_IP_TYPE"] == "PSC"
    error_message = "the functions are told"
  }
}

run "a_key_of_ones_own_is_an_option" {
  command = plan
  variables {
    kms_key = "projects/acme-nova/locations/europe-west1/keyRings/nova/cryptoKeys/data"
  }

  assert {
    condition     = google_sql_database_instance.main.encryption_key_name == var.kms_key && google_storage_bucket.blobs.encryption[0].default_kms_key_name == var.kms_key
    error_message = "rows and files are encrypted with it"
  }
}
