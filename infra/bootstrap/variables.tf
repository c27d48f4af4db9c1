variable "project_id" {
  description = "The Google Cloud project that Nova is deployed in; it is there, and has a billing account."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the project's id, such as acme-nova-1: 6 to 30 of a-z, 0-9 and -; not its name or number."
  }
}

variable "region" {
  description = "Where images and Terraform's state lie."
  type        = string
  default     = "europe-west1"
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is one of Google Cloud's, such as europe-west1; zones and multi-regions do not fit."
  }
}

variable "name" {
  description = "What the names of all resources begin with; the same as for infra/."
  type        = string
  default     = "nova"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,10}[a-z0-9]$", var.name))
    error_message = "name is 3 to 12 of a-z, 0-9 and -: it begins the names of service accounts, which are short."
  }
}

variable "github" {
  description = "The repository on GitHub whose workflows deploy, its number (`gh api repos/OWNER/NAME --jq .id`), which stays its own when a name is given away, and the environment in its settings whose reviewers agree to a release. Nobody when not set."
  type = object({
    repository    = string
    repository_id = string
    environment   = string
  })
  default = null
  validation {
    condition     = var.github == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github.repository)) && can(regex("^[0-9]+$", var.github.repository_id))
    error_message = "github has repository = \"owner/name\" and repository_id = \"123456\"."
  }
  validation {
    condition     = var.github == null || can(regex("^[A-Za-z0-9._-]+$", var.github.environment))
    error_message = "github.environment is the name of an environment of letters, digits, '.', '_' and '-', such as release."
  }
}

variable "budget" {
  description = "Who pays, and from which monthly amount, in the account's own currency, the billing account's people are told: at half, at 90 %, at all of it, and when all of it is foreseen. Nothing is switched off."
  type = object({
    billing_account = string
    amount          = optional(number, 50)
  })
  default = null
  validation {
    condition     = var.budget == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "budget.billing_account is like 012345-6789AB-CDEF01; `gcloud billing accounts list` shows it."
  }
}
