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
    github = { repository = "acme/nova", repository_id = "123" }
  }

  assert {
    condition     = strcontains(google_iam_workload_identity_pool_provider.github[0].attribute_condition, "assertion.repository_id == '123'") && strcontains(google_iam_workload_identity_pool_provider.github[0].attribute_condition, "assertion.ref == 'refs/heads/main'")
    error_message = "another repository, another branch and a pull request are refused"
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
    github = { repository = "nova", repository_id = "123" }
  }
  expect_failures = [var.github]
}
