mock_provider "google" {
  mock_data "google_project" {
    override_during = plan
    defaults = {
      number = "123456789012"
    }
  }
}

variables {
  project_id = "acme-nova"
}

run "nobody_gets_in_from_github_unless_asked_for" {
  command = plan

  assert {
    condition     = length(google_iam_workload_identity_pool.github) == 0 && length(google_service_account_iam_member.github) == 0
    error_message = "there is no pool"
  }
}

run "one_repository_gets_in_from_its_main_branch" {
  command = plan
  variables {
    github = { repository = "acme/nova", repository_id = "123", environment = "release" }
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].attribute_condition == "assertion.repository_id == '123' && assertion.repository == 'acme/nova' && assertion.ref == 'refs/heads/main' && assertion.environment == 'release'"
    error_message = "another repository, another branch, a pull request and an environment without rules are refused"
  }
  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].oidc[0].issuer_uri == "https://token.actions.githubusercontent.com"
    error_message = "it is GitHub who vouches"
  }
}

run "the_deployer_cannot_make_itself_the_owner" {
  command = plan

  assert {
    condition     = !contains(keys(google_project_iam_member.deployer), "roles/owner") && !contains(keys(google_project_iam_member.deployer), "roles/editor") && !contains(keys(google_project_iam_member.deployer), "roles/resourcemanager.projectIamAdmin")
    error_message = "it has the roles that it needs"
  }
  assert {
    condition     = strcontains(google_project_iam_member.deployer_grants.condition[0].expression, "hasOnly(['roles/cloudsql.client'")
    error_message = "it grants what functions need"
  }
}

run "what_is_no_repository_is_refused" {
  command = plan
  variables {
    github = { repository = "nova", repository_id = "123", environment = "release" }
  }
  expect_failures = [var.github]
}

run "an_environment_that_would_end_the_condition_is_refused" {
  command = plan
  variables {
    github = { repository = "acme/nova", repository_id = "123", environment = "x' || true || 'x" }
  }
  expect_failures = [var.github]
}

run "there_is_a_budget_where_it_is_wanted" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", amount = 80 }
  }

  assert {
    condition     = google_billing_budget.monthly[0].amount[0].specified_amount[0].units == "80" && tolist(google_billing_budget.monthly[0].budget_filter[0].projects) == tolist(["projects/123456789012"])
    error_message = "it is for this project alone"
  }
  assert {
    condition     = toset([for rule in google_billing_budget.monthly[0].threshold_rules : rule.threshold_percent]) == toset([0.5, 0.9, 1])
    error_message = "its people are told before all of it is spent"
  }
}

run "images_stay_what_they_are_and_old_ones_go" {
  command = plan

  assert {
    condition     = google_artifact_registry_repository.images.docker_config[0].immutable_tags && toset(google_artifact_registry_repository.images.cleanup_policies[*].action) == toset(["KEEP", "DELETE"])
    error_message = "a tag is not moved, and the last releases are kept"
  }
  assert {
    condition     = google_storage_bucket.state.versioning[0].enabled && google_storage_bucket.state.public_access_prevention == "enforced"
    error_message = "a state that was lost can be had back, and nobody else sees it"
  }
}
