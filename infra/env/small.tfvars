# The cheapest deployment: one address, nothing that costs while nobody asks but the database.
# Values of one's own (project_id, oidc, …) stand in infra/env/values.tfvars, or in TF_VAR_….
profile = "small"

overrides = {
  # Each run of a job is paid as a minute at least. Four an hour stay within what is free in a month, and
  # twelve, as the manifest has it, do not; what was not rung waits longer.
  sweep = { schedule = "*/15 * * * *" }
}
