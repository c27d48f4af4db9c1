# The cheapest deployment: one address, nothing that costs while nobody asks but the database.
# Values of one's own (project_id, oidc, …) stand in infra/env/values.tfvars, or in TF_VAR_….
profile = "small"
