# What every test of a plan begins with; a test's own values win.
project_id = "acme-nova"
image      = "europe-west1-docker.pkg.dev/acme-nova/nova/nova@sha256:0000000000000000000000000000000000000000000000000000000000000000"
oidc       = { issuer = "https://issuer.example" }
