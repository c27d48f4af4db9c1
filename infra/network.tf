# The way from Cloud Run to a database without a public address: Direct VPC egress, and then private
# services access or Private Service Connect.
locals {
  access = coalesce(var.database.access, local.production ? "private" : "public")
  vpc    = local.access == "public" ? 0 : 1
}

resource "google_compute_network" "vpc" {
  count                   = local.vpc
  name                    = var.name
  auto_create_subnetworks = false
}

# Direct VPC egress takes two addresses for each instance and keeps them for a while.
resource "google_compute_subnetwork" "run" {
  count                    = local.vpc
  name                     = "${var.name}-run"
  network                  = google_compute_network.vpc[0].id
  region                   = var.region
  ip_cidr_range            = "10.8.0.0/22"
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

# Nothing listens in this network.
resource "google_compute_firewall" "nothing_comes_in" {
  count     = local.vpc
  name      = "${var.name}-nothing-comes-in"
  network   = google_compute_network.vpc[0].id
  direction = "INGRESS"
  priority  = 65000

  deny {
    protocol = "all"
  }
  source_ranges = ["0.0.0.0/0"]
}

resource "google_compute_global_address" "database" {
  count         = local.access == "private" ? 1 : 0
  name          = "${var.name}-database"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
  network       = google_compute_network.vpc[0].id
}

resource "google_service_networking_connection" "database" {
  count                   = local.access == "private" ? 1 : 0
  network                 = google_compute_network.vpc[0].id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.database[0].name]
  # Google keeps it in use for days after the database was deleted; the network ends it.
  deletion_policy = "ABANDON"
}

resource "google_compute_address" "database" {
  count        = local.access == "psc" ? 1 : 0
  name         = "${var.name}-database"
  address_type = "INTERNAL"
  region       = var.region
  subnetwork   = google_compute_subnetwork.run[0].id
}

resource "google_compute_forwarding_rule" "database" {
  count                 = local.access == "psc" ? 1 : 0
  name                  = "${var.name}-database"
  region                = var.region
  network               = google_compute_network.vpc[0].id
  ip_address            = google_compute_address.database[0].id
  load_balancing_scheme = ""
  target                = google_sql_database_instance.main.psc_service_attachment_link
}

# The connector asks for the name that the instance gives itself.
resource "google_dns_managed_zone" "database" {
  count       = local.access == "psc" ? 1 : 0
  name        = "${var.name}-database"
  dns_name    = google_sql_database_instance.main.dns_name
  description = "Leads the database's own name to its endpoint in this network."
  visibility  = "private"

  private_visibility_config {
    networks {
      network_url = google_compute_network.vpc[0].id
    }
  }
}

resource "google_dns_record_set" "database" {
  count        = local.access == "psc" ? 1 : 0
  managed_zone = google_dns_managed_zone.database[0].name
  name         = google_sql_database_instance.main.dns_name
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_address.database[0].address]
}
