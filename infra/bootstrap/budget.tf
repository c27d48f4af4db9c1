resource "google_billing_budget" "monthly" {
  count           = var.budget == null ? 0 : 1
  billing_account = var.budget.billing_account
  display_name    = var.name

  amount {
    specified_amount {
      units = tostring(var.budget.amount)
    }
  }
  budget_filter {
    projects = ["projects/${data.google_project.this.number}"]
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]
    content {
      threshold_percent = threshold_rules.value
    }
  }
  threshold_rules {
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }
  depends_on = [google_project_service.api]
}
