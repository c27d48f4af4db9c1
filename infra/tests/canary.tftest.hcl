# A release on trial: its revisions get a share of the requests, and those before get the others.

mock_provider "google" {
  source = "./tests/mocks"
}

variables {
  profile = "production"
  domain  = "nova.example.com"
}

run "a_share_of_the_requests" {
  command = plan
  variables {
    canary = { percent = 10, stable = { mcp = "nova-mcp-00007-abc", usage = "nova-usage-00003-xyz" } }
  }

  assert {
    condition     = [for one in google_cloud_run_v2_service.function["mcp"].traffic : [one.type, one.percent]] == [["TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", 10], ["TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", 90]]
    error_message = "one in ten requests goes to the newest revision"
  }
  assert {
    condition     = google_cloud_run_v2_service.function["mcp"].traffic[1].revision == "nova-mcp-00007-abc"
    error_message = "the others go where they went"
  }
  assert {
    condition     = google_cloud_run_v2_service.function["health"].traffic[0].percent == 100
    error_message = "what has no revision before gets all"
  }
}

run "none_yet" {
  command = plan
  variables {
    canary = { percent = 0, stable = { mcp = "nova-mcp-00007-abc" } }
  }

  assert {
    condition     = [for one in google_cloud_run_v2_service.function["mcp"].traffic : one.percent] == [100]
    error_message = "all requests stay where they went"
  }
}

run "promoted" {
  command = plan

  assert {
    condition     = alltrue([for service in google_cloud_run_v2_service.function : [for one in service.traffic : [one.type, one.percent]] == [["TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", 100]]])
    error_message = "all requests go to the newest revision"
  }
}
