# What is refused before anything is made, each with a sentence.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  profile = "small"
}

run "a_tag_in_place_of_a_digest" {
  command = plan
  variables {
    image = "europe-west1-docker.pkg.dev/acme-nova/nova/nova:latest"
  }
  expect_failures = [var.image]
}

run "a_tag_beside_half_a_digest" {
  command = plan
  variables {
    image = "nova@sha256:0123"
  }
  expect_failures = [var.image]
}

run "more_connections_than_the_database_allows" {
  command = plan
  variables {
    overrides = { front = { max = 20 } }
  }
  expect_failures = [google_sql_database_instance.main]
}

run "more_connections_in_production" {
  command = plan
  variables {
    profile   = "production"
    domain    = "nova.example.com"
    overrides = { mcp = { max = 60 } }
  }
  expect_failures = [google_sql_database_instance.main]
}

run "a_version_of_a_secret_that_moves" {
  command = plan
  variables {
    secrets = { PPLX_API_KEY = "latest" }
  }
  expect_failures = [var.secrets]
}

run "a_secret_that_nobody_reads" {
  command = plan
  variables {
    secrets = { PERPLEXITY_KEY = "1" }
  }
  expect_failures = [google_secret_manager_secret.secret]
}

run "a_key_among_the_settings" {
  command = plan
  variables {
    settings = { PPLX_API_KEY = "secret" }
  }
  expect_failures = [var.settings]
}

run "a_canary_without_who_gets_the_others" {
  command = plan
  variables {
    canary = { percent = 10 }
  }
  expect_failures = [var.canary]
}

run "a_canary_that_names_revisions_as_the_api_does" {
  command = plan
  variables {
    canary = { percent = 10, stable = { front = "projects/acme-nova/locations/europe-west1/services/nova-front/revisions/nova-front-00001-abc" } }
  }
  expect_failures = [var.canary]
}

run "production_without_a_domain" {
  command = plan
  variables {
    profile = "production"
  }
  expect_failures = [var.domain]
}

run "an_issuer_without_tls" {
  command = plan
  variables {
    oidc = { issuer = "http://issuer.example" }
  }
  expect_failures = [var.oidc]
}

run "nobody_who_vouches_for_users" {
  command = plan
  variables {
    oidc = {}
  }
  expect_failures = [var.oidc]
}

run "a_project_by_its_number" {
  command = plan
  variables {
    project_id = "123456789012"
  }
  expect_failures = [var.project_id]
}

run "a_schedule_that_is_not_one" {
  command = plan
  variables {
    overrides = { sweep = { schedule = "every hour" } }
  }
  expect_failures = [var.overrides]
}
