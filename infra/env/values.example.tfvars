# Copy to values.tfvars, which git ignores.

# Who vouches for users: an issuer, or descope_project_id.
oidc = { issuer = "https://issuer.example", client_id = "nova" }

# Where everything runs.
region = "europe-west1"

# Who is told when something is wrong.
# alert_email = "ops@example.com"

# production only: the host name that users know.
# domain = "nova.example.com"

# Providers: the version of each key in Secret Manager, and settings of the README's table.
# secrets  = { PPLX_API_KEY = "1", GOOGLE_API_KEY = "1" }
# settings = { NOVA_CONTACT_URL = "https://example.com/about-our-reader" }
# With NOVA_ALLOW_PRIVATE_CODE = "true" every user may read the private repositories that your tokens show.

# A copy of the usage rows in BigQuery, without names; README, "Usage in BigQuery".
# bigquery = true
