# A service for each function behind a load balancer, a database with a stand-by and no public address.
# Values of one's own (project_id, oidc, domain, …) stand in infra/env/values.tfvars, or in TF_VAR_….
profile = "production"

overrides = {
  # Where agents and people arrive: one instance is always there, and more may come.
  mcp                      = { min = 1, max = 6 }
  upload_article_guideline = { min = 1 }
}
