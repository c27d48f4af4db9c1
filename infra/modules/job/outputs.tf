output "name" {
  description = "The job's name."
  value       = google_cloud_run_v2_job.this.name
}

output "id" {
  description = "The job's full name, projects/…/locations/…/jobs/…."
  value       = google_cloud_run_v2_job.this.id
}

output "image" {
  description = "The image that it runs."
  value       = google_cloud_run_v2_job.this.template[0].template[0].containers[0].image
}

output "environment" {
  description = "Its settings, but for the secret ones."
  value       = [for env in google_cloud_run_v2_job.this.template[0].template[0].containers[0].env : env if length(env.value_source) == 0]
}
