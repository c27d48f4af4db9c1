# What Google would have computed, as far as a test looks at it.
mock_data "google_project" {
  override_during = plan
  defaults = {
    number = "123456789012"
  }
}

mock_data "google_storage_project_service_account" {
  override_during = plan
  defaults = {
    member = "serviceAccount:storage@example.iam.gserviceaccount.com"
  }
}

mock_resource "google_sql_database_instance" {
  override_during = plan
  defaults = {
    connection_name = "acme-nova:europe-west1:nova"
    dns_name        = "fake.europe-west1.sql.goog."
  }
}
