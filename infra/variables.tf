variable "project_id" {
  description = "The Google Cloud project that everything is made in."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the project's id, such as acme-nova-1: 6 to 30 of a-z, 0-9 and -; not its name or number."
  }
}

variable "region" {
  description = "Where everything runs and all data lies."
  type        = string
  default     = "europe-west1"
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is one of Google Cloud's, such as europe-west1; zones and multi-regions do not fit."
  }
}

variable "name" {
  description = "What the names of all resources begin with."
  type        = string
  default     = "nova"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,10}[a-z0-9]$", var.name))
    error_message = "name is 3 to 12 of a-z, 0-9 and -: it begins the names of service accounts, which are short."
  }
}

variable "profile" {
  description = "small: one address, the cheapest database, no load balancer. production: a service for each function behind a load balancer, a database with a stand-by and without a public address."
  type        = string
  validation {
    condition     = contains(["small", "production"], var.profile)
    error_message = "profile is small or production."
  }
}

variable "image" {
  description = "The release: the image with all programs, by digest."
  type        = string
  validation {
    condition     = can(regex("^[^@]+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image ends with its digest, @sha256:…: a tag may stand for another image tomorrow. Pushing it prints that."
  }
}

variable "canary" {
  description = "A release on trial: the percentage of requests that its revisions get, and for each service the revision that gets the others. `make canary` fills it in."
  type = object({
    percent = optional(number, 100)
    stable  = optional(map(string), {})
  })
  default = {}
  validation {
    condition     = var.canary.percent >= 0 && var.canary.percent <= 100 && floor(var.canary.percent) == var.canary.percent
    error_message = "canary.percent is a whole number from 0 to 100."
  }
  validation {
    condition     = alltrue([for revision in values(var.canary.stable) : can(regex("^[a-z0-9-]+$", revision))])
    error_message = "canary.stable gives the short names of revisions, such as nova-front-00007-abc."
  }
  validation {
    condition     = var.canary.percent == 100 || length(var.canary.stable) > 0
    error_message = "canary.percent below 100 needs canary.stable: the revisions that get the other requests."
  }
}

variable "oidc" {
  description = "Who vouches for users: an issuer's address (or the id of a Descope project), the client of the sign-in page, and whom tokens are for, where that is not the address of this deployment."
  type = object({
    issuer             = optional(string)
    descope_project_id = optional(string)
    client_id          = optional(string, "nova")
    audience           = optional(string)
  })
  validation {
    condition     = (var.oidc.issuer == null) != (var.oidc.descope_project_id == null)
    error_message = "oidc has either an issuer or a descope_project_id."
  }
  validation {
    condition     = var.oidc.issuer == null || startswith(coalesce(var.oidc.issuer, "-"), "https://")
    error_message = "oidc.issuer is an https address: tokens are checked with the keys found there."
  }
}

variable "secrets" {
  description = "Keys of providers by the name of their setting, each with the version in Secret Manager that is used, such as { PPLX_API_KEY = \"1\" }. What is not named here is not configured."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for version in values(var.secrets) : can(regex("^[1-9][0-9]*$", version))])
    error_message = "secrets gives the number of a version: with \"latest\" instances of one release would differ."
  }
}

variable "settings" {
  description = "Further settings of the functions, of those that the README lists, such as { LLM_PROVIDER = \"vertex\", VERTEX_LOCATION = \"eu\" }."
  type        = map(string)
  default     = {}
  validation {
    condition     = length([for name in keys(var.settings) : name if can(regex("(_KEY|_TOKENS?|_SECRET|_PASS|_SALT)$", name))]) == 0
    error_message = "settings is readable for everybody who sees the services: keys, tokens and passwords belong into secrets."
  }
}

variable "overrides" {
  description = "Over the manifest and the profile, for services and jobs by their name there."
  type = map(object({
    memory      = optional(string)
    cpu         = optional(string)
    min         = optional(number)
    max         = optional(number)
    pool        = optional(number)
    concurrency = optional(number)
    schedule    = optional(string)
  }))
  default = {}
  validation {
    condition     = alltrue([for one in values(var.overrides) : coalesce(one.max, 1) >= coalesce(one.min, 0)])
    error_message = "overrides: max is at least min."
  }
  validation {
    condition     = alltrue([for one in values(var.overrides) : can(regex("^([^ ]+ ){4}[^ ]+$", coalesce(one.schedule, "* * * * *")))])
    error_message = "overrides: a schedule has the five fields of cron, such as */15 * * * *."
  }
}

variable "domain" {
  description = "The host name that users know. production needs it; small answers at an address of Cloud Run."
  type        = string
  default     = null
  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain is a host name such as nova.example.com, without scheme and path."
  }
  validation {
    condition     = (var.profile == "production") == (var.domain != null)
    error_message = "domain belongs to the production profile: there it is needed, elsewhere there is nothing that would answer at it."
  }
}

variable "database" {
  description = "Over the profile: the machine, how it is reached (public through the connector, private, or psc), its greatest size in GB, and the connections it allows."
  type = object({
    tier            = optional(string)
    access          = optional(string)
    max_disk_gb     = optional(number)
    max_connections = optional(number)
  })
  default = {}
  validation {
    condition     = contains(["public", "private", "psc"], coalesce(var.database.access, "public"))
    error_message = "database.access is public, private or psc."
  }
}

variable "bigquery" {
  description = "Whether a copy of the usage rows, without names, is kept in BigQuery. It needs the secret USER_ID_SALT, with which users' ids are hashed."
  type        = bool
  default     = false
  validation {
    condition     = !var.bigquery || contains(keys(var.secrets), "USER_ID_SALT")
    error_message = "bigquery needs a version of the secret USER_ID_SALT: ids of users leave hashed with it, or not at all."
  }
}

variable "kms_key" {
  description = "A key of one's own that encrypts the bucket and the database: projects/…/locations/…/keyRings/…/cryptoKeys/…. It cannot be changed later."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is a key's full name, projects/…/locations/…/keyRings/…/cryptoKeys/…, without a version."
  }
}

variable "alert_email" {
  description = "Who is told when something is wrong; nobody when not set."
  type        = string
  default     = null
  validation {
    condition     = var.alert_email == null || can(regex("^[^@ ]+@[^@ ]+$", var.alert_email))
    error_message = "alert_email is one e-mail address."
  }
}

variable "deletion_protection" {
  description = "Whether the database, the bucket and the services are kept from being deleted. `make destroy` says when to set it to false."
  type        = bool
  default     = true
}
