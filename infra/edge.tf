# production's entrance: a load balancer that leads each route of the manifest to its service.
locals {
  routed = { for key, one in local.services : key => one if local.production && one.public }
  edge   = local.production ? 1 : 0

  # `/articles/{id}` is `/articles/*` there.
  paths = { for key, one in local.routed : key => [for route in one.routes : replace(route, "/\\{[^}]*\\}.*$/", "*")] }
}

resource "google_compute_region_network_endpoint_group" "function" {
  for_each              = local.routed
  name                  = "${var.name}-${local.slug[each.key]}"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloud_run_v2_service.function[each.key].name
  }
}

resource "google_compute_backend_service" "function" {
  for_each              = local.routed
  name                  = "${var.name}-${local.slug[each.key]}"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = google_compute_security_policy.edge[0].id

  backend {
    group = google_compute_region_network_endpoint_group.function[each.key].id
  }
  log_config {
    enable      = true
    sample_rate = 1
  }
}

# How much one address may ask. The functions limit users; this keeps a flood from starting instances.
# Google's ready-made rules against injection stay out: they take articles about SQL for attacks.
resource "google_compute_security_policy" "edge" {
  count       = local.edge
  name        = "${var.name}-edge"
  description = "Limits what one address may ask."

  rule {
    description = "1200 requests in a minute from one address."
    action      = "throttle"
    priority    = 1000

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"
      rate_limit_threshold {
        count        = 1200
        interval_sec = 60
      }
    }
  }
  # CVE-2021-44228 and its kin, which Google keeps up to date and no article looks like.
  rule {
    description = "Requests that exploit Log4j."
    action      = "deny(403)"
    priority    = 500

    match {
      expr {
        expression = "evaluatePreconfiguredWaf('cve-canary', {'sensitivity': 1})"
      }
    }
  }
  rule {
    description = "Everything else is let in."
    action      = "allow"
    priority    = 2147483647

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

resource "google_compute_url_map" "edge" {
  count = local.edge
  name  = var.name
  # It knows no other route, and says so as a problem document.
  default_service = google_compute_backend_service.function["health"].id

  host_rule {
    hosts        = [var.domain]
    path_matcher = "functions"
  }
  path_matcher {
    name            = "functions"
    default_service = google_compute_backend_service.function["health"].id

    dynamic "path_rule" {
      for_each = local.paths
      content {
        paths   = path_rule.value
        service = google_compute_backend_service.function[path_rule.key].id
      }
    }
  }

  # Google tries these before it takes the map.
  dynamic "test" {
    for_each = merge([for key, one in local.routed : { for route in one.routes : replace(route, "/\\{[^}]*\\}/", "x") => key }]...)
    content {
      host    = var.domain
      path    = test.key
      service = google_compute_backend_service.function[test.value].id
    }
  }
}

resource "google_compute_managed_ssl_certificate" "edge" {
  count = local.edge
  # Another domain is another certificate, made before the old one goes.
  name = "${var.name}-${substr(sha1(var.domain), 0, 8)}"

  managed {
    domains = [var.domain]
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_ssl_policy" "edge" {
  count           = local.edge
  name            = var.name
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}

resource "google_compute_global_address" "edge" {
  count = local.edge
  name  = "${var.name}-edge"
}

resource "google_compute_target_https_proxy" "edge" {
  count            = local.edge
  name             = var.name
  url_map          = google_compute_url_map.edge[0].id
  ssl_certificates = [google_compute_managed_ssl_certificate.edge[0].id]
  ssl_policy       = google_compute_ssl_policy.edge[0].id
}

resource "google_compute_global_forwarding_rule" "edge" {
  count                 = local.edge
  name                  = var.name
  load_balancing_scheme = "EXTERNAL_MANAGED"
  target                = google_compute_target_https_proxy.edge[0].id
  ip_address            = google_compute_global_address.edge[0].id
  port_range            = "443"
}

# Without TLS there is nothing but the way to TLS.
resource "google_compute_url_map" "redirect" {
  count = local.edge
  name  = "${var.name}-redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "PERMANENT_REDIRECT"
    strip_query            = false
  }
}

resource "google_compute_target_http_proxy" "redirect" {
  count   = local.edge
  name    = "${var.name}-redirect"
  url_map = google_compute_url_map.redirect[0].id
}

resource "google_compute_global_forwarding_rule" "redirect" {
  count                 = local.edge
  name                  = "${var.name}-redirect"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  target                = google_compute_target_http_proxy.redirect[0].id
  ip_address            = google_compute_global_address.edge[0].id
  port_range            = "80"
}
